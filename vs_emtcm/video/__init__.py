"""Upscaling of video files: a reader, a writer, and the job that connects them."""

from vs_emtcm.video.job import VideoReport, VideoSettings, upscale_video

__all__ = ["VideoReport", "VideoSettings", "upscale_video"]

"""Video files: reader, writer, and the job between them."""

from vs_emtcm.video.job import VideoReport, VideoSettings, upscale_video

__all__ = ["VideoReport", "VideoSettings", "upscale_video"]

"""What a file says of the fields in its pictures."""

from __future__ import annotations

from av.video.stream import VideoStream

from vs_emtcm.video.ffmpeg import AV_FIELD_PROGRESSIVE, AV_FIELD_UNKNOWN

# FFmpeg's names of codecs whose decoder flags interlaced frames: their streams say it, or,
# for uncompressed video, the decoder repeats what the container says.
FLAGGED_CODECS = frozenset(
    {
        *("mpeg1video", "mpeg2video", "mpeg4", "h264", "hevc", "vvc", "vc1", "wmv3", "cavs", "dirac"),
        *("dvvideo", "dnxhd", "prores", "prores_raw", "cfhd", "hq_hqa", "aic", "ffv1", "magicyuv"),
        *("rawvideo", "v210"),
    }
)


def says_interlaced(video: VideoStream) -> bool:
    """Return whether the header of a file says that a video is interlaced."""
    return video.codec_context.field_order not in (AV_FIELD_UNKNOWN, AV_FIELD_PROGRESSIVE)


def frames_are_flagged(video: VideoStream) -> bool:
    """Return whether the decoder of a video says of every frame whether it is interlaced."""
    return video.codec_context.codec.canonical_name in FLAGGED_CODECS

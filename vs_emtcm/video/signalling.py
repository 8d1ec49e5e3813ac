"""Which properties of its pictures a video file can state, in the stream of its codec or in its container.

Codecs and containers are named as FFmpeg names them ("hevc", "matroska").
"""

from __future__ import annotations

from vs_emtcm.video.ffmpeg import AVCHROMA_LOC_CENTER, AVCHROMA_LOC_LEFT

# The muxers of MP4 and its variants: .m4v, .3gp, .f4v and so on.
MP4_CONTAINERS = frozenset({"mp4", "mov", "ipod", "3gp", "3g2", "f4v", "ismv", "psp"})
MATROSKA_CONTAINERS = frozenset({"matroska", "webm"})

# Codecs whose streams state the matrix of YUV.
MATRIX_CODECS = frozenset({"h264", "hevc", "vp9", "av1", "mpeg2video", "prores"})
# Codecs whose streams state the range.
RANGE_CODECS = frozenset({"h264", "hevc", "vp9", "av1", "mjpeg"})
# Codecs that players take for limited range, whatever the container states.
LIMITED_CODECS = frozenset({"prores", "mpeg1video", "mpeg2video", "vp8"})
# Codecs whose decoders place chroma in the centre, or left, whatever is stated; the last of 4:2:2 alone.
CENTER_CODECS = frozenset({"mjpeg", "mpeg1video"})
LEFT_CODECS = frozenset({"mpeg2video", "mpeg4"})
LEFT_422_CODECS = frozenset({"h264", "hevc", "prores", "dnxhd"})
# Codecs whose streams state the pixel aspect ratio.
RATIO_CODECS = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"})


def says_matrix(codec: str, container: str) -> bool:
    """Return whether a file states the matrix of its YUV."""
    return codec in MATRIX_CODECS or container in MATROSKA_CONTAINERS


def says_range(codec: str, container: str) -> bool:
    """Return whether a file states whether its samples are limited or full range."""
    return codec in RANGE_CODECS or (container in MATROSKA_CONTAINERS and codec not in LIMITED_CODECS)


def fixed_chroma_location(codec: str, subsampling: tuple[int, int]) -> int | None:
    """Return FFmpeg's number for where chroma of a codec always lies, or None if a file can say it.

    Args:
        codec: its name.
        subsampling: base-2 logarithm, (horizontal, vertical).
    """
    if codec in CENTER_CODECS:
        return AVCHROMA_LOC_CENTER
    if codec in LEFT_CODECS or (codec in LEFT_422_CODECS and subsampling == (1, 0)):
        return AVCHROMA_LOC_LEFT
    return None


def says_ratio(codec: str, container: str) -> bool:
    """Return whether a file states its pixel aspect ratio where players look for it."""
    return codec in RATIO_CODECS or container in MP4_CONTAINERS


def says_rotation(container: str) -> bool:
    """Return whether a file states how it is to be rotated for display."""
    return container in MP4_CONTAINERS or container in MATROSKA_CONTAINERS

"""Which properties of its pictures a video file can state, in the stream of its codec or in its container.

Codecs and containers are named as FFmpeg names them ("hevc", "matroska").
"""

from __future__ import annotations

# The muxers of MP4 and its variants: .m4v, .3gp, .f4v and so on.
MP4_CONTAINERS = frozenset({"mp4", "mov", "ipod", "3gp", "3g2", "f4v", "ismv", "psp"})
MATROSKA_CONTAINERS = frozenset({"matroska", "webm"})

# Codecs whose streams state the matrix of YUV.
MATRIX_CODECS = frozenset({"h264", "hevc", "vp9", "av1", "mpeg2video", "prores"})
# Codecs whose streams state the range.
RANGE_CODECS = frozenset({"h264", "hevc", "vp9", "av1", "mjpeg"})
# Codecs that players take for limited range, whatever the container states.
LIMITED_CODECS = frozenset({"prores", "mpeg1video", "mpeg2video", "vp8"})
# Codecs whose streams state the pixel aspect ratio.
RATIO_CODECS = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"})


def says_matrix(codec: str, container: str) -> bool:
    """Return whether a file states the matrix of its YUV."""
    return codec in MATRIX_CODECS or container in MATROSKA_CONTAINERS


def says_range(codec: str, container: str) -> bool:
    """Return whether a file states whether its samples are limited or full range."""
    return codec in RANGE_CODECS or (container in MATROSKA_CONTAINERS and codec not in LIMITED_CODECS)


def says_ratio(codec: str, container: str) -> bool:
    """Return whether a file states its pixel aspect ratio where players look for it."""
    return codec in RATIO_CODECS or container in MP4_CONTAINERS


def says_rotation(container: str) -> bool:
    """Return whether a file states how it is to be rotated for display."""
    return container in MP4_CONTAINERS or container in MATROSKA_CONTAINERS

"""Which files say what of their pictures: their codec in its own stream, or their container.

Codecs and containers are named as FFmpeg names them ("hevc", "matroska").
"""

from __future__ import annotations

from vs_emtcm.video.ffmpeg import AVCHROMA_LOC_CENTER, AVCHROMA_LOC_LEFT

# MP4, under other suffixes as well: .m4v, .3gp, .f4v and so on.
MP4_CONTAINERS = frozenset({"mp4", "mov", "ipod", "3gp", "3g2", "f4v", "ismv", "psp"})
MATROSKA_CONTAINERS = frozenset({"matroska", "webm"})

MATRIX_CODECS = frozenset({"h264", "hevc", "vp9", "av1", "mpeg2video", "prores"})
RANGE_CODECS = frozenset({"h264", "hevc", "vp9", "av1", "mjpeg"})
# These are taken for limited range whatever their container says.
LIMITED_CODECS = frozenset({"prores", "mpeg1video", "mpeg2video", "vp8"})
# Decoders place chroma of these here whatever is said; of others, they place that of 4:2:2 left.
CENTER_CODECS = frozenset({"mjpeg", "mpeg1video"})
LEFT_CODECS = frozenset({"mpeg2video", "mpeg4"})
LEFT_422_CODECS = frozenset({"h264", "hevc", "prores", "dnxhd"})
RATIO_CODECS = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"})


def says_matrix(codec: str, container: str) -> bool:
    """Whether a file says the matrix of its YUV."""
    return codec in MATRIX_CODECS or container in MATROSKA_CONTAINERS


def says_range(codec: str, container: str) -> bool:
    """Whether a file says which range it has."""
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
    """Whether a file says the aspect ratio of its pixels, so that players see it."""
    return codec in RATIO_CODECS or container in MP4_CONTAINERS


def says_rotation(container: str) -> bool:
    """Whether a file says how it is turned for display."""
    return container in MP4_CONTAINERS or container in MATROSKA_CONTAINERS

"""The matrix that players assume for untagged video, which depends on its size, and so changes with it."""

from __future__ import annotations

from vs_emtcm.video.ffmpeg import AVCOL_BT470BG, AVCOL_SMPTE170M, AVCOL_SPC_BT709, AVCOL_UNSPECIFIED

# From this width or this number of lines on, players assume BT.709, and BT.601 below (the rule of mpv, and of
# most others).
HD_WIDTH = 1280
HD_LINES = 577
# Lines of the two systems of BT.601, and half of them.
LINES_625 = frozenset({288, 576})
LINES_525 = frozenset({240, 480, 486, 488})


def assumed_matrix(width: int, lines: int) -> int:
    """Return the matrix that players assume for untagged YUV of a size, as FFmpeg's number."""
    if width >= HD_WIDTH or lines >= HD_LINES:
        return AVCOL_SPC_BT709
    # Both systems have the same matrix; only the number differs.
    return AVCOL_BT470BG if lines in LINES_625 else AVCOL_SMPTE170M


def tags_that_keep_colours(
    tags: tuple[int, int], size: tuple[int, int], larger: tuple[int, int]
) -> tuple[int, int]:
    """Return the tags with which a larger picture keeps the colours of the smaller one.

    Args:
        tags: matrix and primaries of YUV, FFmpeg's numbers.
        size: (width, height) of the picture that has them.
        larger: (width, height) of the picture that gets them.

    Returns:
        The same, unless the matrix is not specified and the size would change what players assume.
    """
    matrix, primaries = tags
    assumed = assumed_matrix(*size)
    if (
        matrix != AVCOL_UNSPECIFIED
        or assumed == AVCOL_SPC_BT709
        or assumed_matrix(*larger) != AVCOL_SPC_BT709
    ):
        return tags
    if primaries == AVCOL_UNSPECIFIED and size[1] in LINES_625 | LINES_525:
        primaries = assumed
    return assumed, primaries

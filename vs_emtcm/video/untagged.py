"""What players take untagged colours for, which depends on the size and would change with it."""

from __future__ import annotations

from vs_emtcm.video.ffmpeg import AVCOL_BT470BG, AVCOL_SMPTE170M, AVCOL_UNSPECIFIED

# Of pictures as large as these, players take BT.709; of smaller ones BT.601 (mpv's rule, and most others').
HD_WIDTH, HD_LINES = 1280, 577
LINES_625, LINES_525 = frozenset({288, 576}), frozenset({240, 480, 486, 488})


def tags_that_keep_colours(
    tags: tuple[int, int], size: tuple[int, int], larger: tuple[int, int]
) -> tuple[int, int]:
    """The tags with which a larger picture keeps the colours of the smaller one.

    Args:
        tags: matrix and primaries of YUV, FFmpeg's numbers.
        size: (width, height) of the picture that has them.
        larger: of the one that gets them.

    Returns:
        The same, unless the matrix is not specified and the size would change what it is taken for.
    """
    matrix, primaries = tags
    if matrix != AVCOL_UNSPECIFIED or _is_hd(*size) or not _is_hd(*larger):
        return tags
    lines = size[1]
    matrix = AVCOL_BT470BG if lines in LINES_625 else AVCOL_SMPTE170M
    if primaries == AVCOL_UNSPECIFIED and lines in LINES_625 | LINES_525:
        primaries = matrix
    return matrix, primaries


def _is_hd(width: int, lines: int) -> bool:
    return width >= HD_WIDTH or lines >= HD_LINES

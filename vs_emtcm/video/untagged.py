"""Tags for untagged colours, whose matrix players derive from the size of the picture.

Without tags, the colours of a picture would change with its size.
"""

from __future__ import annotations

from vs_emtcm.video.ffmpeg import AVCOL_BT470BG, AVCOL_SMPTE170M, AVCOL_UNSPECIFIED

# Players take untagged pictures of this width or of this height, or larger, for BT.709, others for BT.601:
# the rule of mpv and of most others.
HD_WIDTH = 1280
HD_LINES = 577
# Heights of pictures from systems of 625 lines, and of 525 lines.
LINES_625 = frozenset({288, 576})
LINES_525 = frozenset({240, 480, 486, 488})


def tags_that_keep_colours(
    tags: tuple[int, int], size: tuple[int, int], larger: tuple[int, int]
) -> tuple[int, int]:
    """Return the tags with which an upscaled picture keeps the colours of its source.

    Args:
        tags: matrix and primaries of the source, which is YUV; FFmpeg's numbers.
        size: (width, height) of the source.
        larger: (width, height) of the upscaled picture.

    Returns:
        Matrix and primaries: ``tags``, unless the matrix is unspecified and players would take the upscaled
        picture for another matrix than the source.
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

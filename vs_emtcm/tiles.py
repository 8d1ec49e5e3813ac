"""Cut a picture into the tiles that an engine works on; sizes are (height, width) in input pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

from vs_emtcm.errors import UsageError
from vs_emtcm.whole import is_whole

# (height, width) in input pixels.
type Size = tuple[int, int]

# Smallest side that may be asked for, in pixels.
MINIMUM_TILE = 16
# Pixels that a layer computes beyond a tile, on both sides together, on average over all layers.
SURROUNDINGS = 16


@lru_cache
def even_tile(height: int, width: int, pixels: int) -> Size:
    """Return the size of equal tiles, of at most ``pixels`` each, that cost the least work.

    Args:
        height: of the picture.
        width: of the picture.
        pixels: most that a tile may have; the surroundings, which cost work as well, do not count.
    """

    def tile(columns: int) -> Size:
        across = -(-width // columns)
        rows = -(-height // min(height, pixels // across))
        return -(-height // rows), across

    def work(columns: int) -> int:
        down, across = tile(columns)
        return columns * -(-height // down) * (across + SURROUNDINGS) * (down + SURROUNDINGS)

    fewest = -(-width * min(height, MINIMUM_TILE) // pixels)
    return tile(min(range(fewest, fewest + math.isqrt(width)), key=work))


def spans(length: int, size: int) -> Iterator[tuple[int, int]]:
    """Cover ``length`` with parts of one size, of at most ``size``: (start, length) of each.

    Neighbours overlap by a sample where the length does not divide: what an engine keeps for a size then
    serves all of them.
    """
    parts = -(-length // size)
    part = -(-length // parts)
    for i in range(parts):
        yield (length - part) * i // max(1, parts - 1), part


def checked_tile(tile: int | tuple[int, int] | None) -> Size | None:
    """Check the ``tile`` argument of an Upscaler.

    Args:
        tile: (width, height), or one number for both; 0 never tiles, None chooses.

    Returns:
        (height, width); (0, 0) never tiles, None chooses.

    Raises:
        UsageError: it is neither 0 nor at least 16.
    """
    if tile is None:
        return None
    # Bytes are a sequence of whole numbers as well.
    size = tuple(tile) if isinstance(tile, Sequence) and not isinstance(tile, bytes) else (tile, tile)
    whole = len(size) == 2 and all(is_whole(side) for side in size)
    if not whole or (size != (0, 0) and min(size) < MINIMUM_TILE):
        raise UsageError(f"tile is {tile!r}; accepted are 0 (never) and sizes from {MINIMUM_TILE}")
    width, height = size
    return int(height), int(width)

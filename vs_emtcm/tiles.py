"""How a picture is cut into the tiles that an engine works on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

from vs_emtcm.errors import UsageError
from vs_emtcm.whole import is_whole

MINIMUM_TILE = 16
# Pixels, of both sides together, that a layer works on beyond a tile, on average over all layers.
SURROUNDINGS = 16


@lru_cache
def even_tile(width: int, height: int, pixels: int) -> tuple[int, int]:
    """(width, height) of the tiles of at most ``pixels`` that have the least surroundings to bring."""

    def tile(columns: int) -> tuple[int, int]:
        across = -(-width // columns)
        rows = -(-height // min(height, pixels // across))
        return across, -(-height // rows)

    def work(columns: int) -> int:
        across, down = tile(columns)
        return columns * -(-height // down) * (across + SURROUNDINGS) * (down + SURROUNDINGS)

    fewest = -(-width * min(height, MINIMUM_TILE) // pixels)
    return tile(min(range(fewest, fewest + math.isqrt(width)), key=work))


def spans(length: int, size: int) -> Iterator[tuple[int, int]]:
    """Cover ``length`` with parts of one size, of at most ``size``: (start, length) of each.

    Neighbours have a sample in common where the length does not divide: what an engine keeps for a size then
    serves all of them.
    """
    parts = -(-length // size)
    part = -(-length // parts)
    for i in range(parts):
        yield (length - part) * i // max(1, parts - 1), part


def checked_tile(tile: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """(width, height) of the tile that was asked for; (0, 0) is never, None is automatic.

    Raises:
        UsageError: it is neither 0 nor at least 16.
    """
    if tile is None:
        return None
    size = tuple(tile) if isinstance(tile, Sequence) else (tile, tile)
    whole = len(size) == 2 and all(is_whole(side) for side in size)
    if not whole or (size != (0, 0) and min(size) < MINIMUM_TILE):
        raise UsageError(f"tile is {tile!r}; accepted are 0 (never) and sizes from {MINIMUM_TILE}")
    return int(size[0]), int(size[1])

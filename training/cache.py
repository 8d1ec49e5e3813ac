"""The compact cache: all training pairs decoded once, as 8-bit luma in one memory-mapped file.

A cache is a folder of ``pixels.bin`` (the planes one after the other) and ``index.json``. Every plane is
stored with its mirrored surroundings, which is what the Upscaler shows the network at an edge.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.imresize import downscale, to_8bit
from vs_emtcm.errors import UsageError

Plane = NDArray[np.uint8]
FORMAT = 2
INDEX, PIXELS = "index.json", "pixels.bin"
# Low-resolution pixels around every picture. Crops at an edge then have the receptive field of the shipped
# networks (14, 15 of large-clean) beyond it.
SURROUNDINGS = 16
# Low-resolution pixels that a side of a picture has at least; smaller ones hold less than a crop.
SMALLEST = 64


class CacheError(UsageError):
    """A cache that cannot be read; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A picture and its low-resolution version: (scale*H, scale*W) and (H, W) uint8 luma."""

    scale: int
    low: Plane
    high: Plane


@dataclass(frozen=True, kw_only=True)
class PairStore:
    """All pairs of one scale inside one array; the pairs that it gives are without their surroundings.

    Attributes:
        scale: of every pair.
        pixels: the array that holds all planes.
        heights, widths: of the low-resolution planes, surroundings included.
        lows, highs: where each plane begins in ``pixels``.
    """

    scale: int
    pixels: Plane
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]
    lows: NDArray[np.int64]
    highs: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.heights)

    def alone(self) -> PairStore:
        """The same pairs in an array that holds nothing else, in memory."""
        own = int((self.heights * self.widths).sum()) * (1 + self.scale**2)
        return self if own == self.pixels.size else pack(self)[self.scale]

    def __iter__(self) -> Iterator[Pair]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Pair:
        height, width = int(self.heights[index]), int(self.widths[index])
        low, high = int(self.lows[index]), int(self.highs[index])
        s, b = self.scale, SURROUNDINGS
        low_plane = self.pixels[low : low + height * width].reshape(height, width)
        high_plane = self.pixels[high : high + height * width * s * s].reshape(height * s, width * s)
        return Pair(scale=s, low=low_plane[b:-b, b:-b], high=high_plane[s * b : -s * b, s * b : -s * b])


def clean_pair(luma: Plane, scale: int) -> Pair:
    """A picture and its bicubic reduction, as in the benchmarks."""
    height, width = (n // scale * scale for n in luma.shape)
    high = luma[:height, :width]
    return Pair(scale=scale, low=to_8bit(downscale(high, scale)), high=high)


def smallest_side(scale: int, shifted: bool) -> int:
    """Pixels that a side of a picture has at least to give :func:`clean_pairs`."""
    return SMALLEST * scale + (scale // 2 if shifted else 0)


def clean_pairs(luma: Plane, scale: int, shifted: bool) -> list[Pair]:
    """The reduction of a picture, or four from places of the pixel grid; none if it is too small."""
    if min(luma.shape) < smallest_side(scale, shifted):
        return []
    starts = (0, scale // 2) if shifted else (0,)
    return [clean_pair(luma[top:, left:], scale) for top, left in product(starts, starts)]


def _surrounded(pair: Pair) -> tuple[Plane, Plane]:
    return (
        np.pad(pair.low, SURROUNDINGS, mode="symmetric"),
        np.pad(pair.high, pair.scale * SURROUNDINGS, mode="symmetric"),
    )


def pack(pairs: Iterable[Pair]) -> Mapping[int, PairStore]:
    """Pairs as stores in memory, by scale."""
    rows, planes = [], []
    for pair in pairs:
        low, high = _surrounded(pair)
        rows.append((pair.scale, *low.shape))
        planes += [low.ravel(), high.ravel()]
    return _stores(rows, np.concatenate(planes))


def write_cache(folder: Path, pairs: Iterable[Pair]) -> int:
    """Write all pairs; returns how many.

    A cache that was there stays until the new one is whole, and if there are no pairs. A training that has it
    open keeps what it opened.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index, pixels = folder / INDEX, folder / PIXELS
    new_index, new_pixels = (path.with_name(f"{path.name}.partial") for path in (index, pixels))
    rows = []
    checksum = 0
    try:
        with new_pixels.open("wb") as file:
            for pair in pairs:
                low, high = _surrounded(pair)
                rows.append({"scale": pair.scale, "height": low.shape[0], "width": low.shape[1]})
                for plane in (low.tobytes(), high.tobytes()):
                    file.write(plane)
                    checksum = zlib.crc32(plane, checksum)
        new_index.write_text(json.dumps({"format": FORMAT, "checksum": checksum, "pairs": rows}))
        if rows:
            # Between these a cache is absent, never of two parts.
            index.unlink(missing_ok=True)
            new_pixels.replace(pixels)
            new_index.replace(index)
    finally:
        new_pixels.unlink(missing_ok=True)
        new_index.unlink(missing_ok=True)
    return len(rows)


def fingerprint(folder: Path) -> str:
    """A short name for the pairs of a cache that can be read; others have another one."""
    return hashlib.sha256((folder / INDEX).read_bytes()).hexdigest()[:16]


def read_cache(folder: Path) -> Mapping[int, PairStore]:
    """Open a cache; the pairs of each scale, memory-mapped.

    Raises:
        CacheError: there is no cache in ``folder``, or it is empty or damaged.
    """
    try:
        index = json.loads((folder / INDEX).read_text())
        if index["format"] != FORMAT:
            raise CacheError(f"{folder} is a cache of another format; run 'python -m training prepare' again")
        rows = [(row["scale"], row["height"], row["width"]) for row in index["pairs"]]
        if not rows:
            raise CacheError(
                f"{folder} is an empty cache; run 'python -m training prepare' on larger pictures"
            )
        size = sum(height * width * (1 + scale * scale) for scale, height, width in rows)
        pixels = np.memmap(folder / PIXELS, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise CacheError(f"{folder} holds no cache; make one with 'python -m training prepare'") from error
    except (KeyError, TypeError) as error:
        raise CacheError(f"{folder} is damaged; run 'python -m training prepare' again") from error
    if size != pixels.size:
        raise CacheError(f"{folder} is damaged; run 'python -m training prepare' again")
    return _stores(rows, pixels)


def _stores(rows: Sequence[tuple[int, int, int]], pixels: Plane) -> Mapping[int, PairStore]:
    scales, heights, widths = np.array(rows, np.int64).T
    low_sizes = heights * widths
    sizes = low_sizes * (1 + scales**2)
    lows = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    stores = {}
    for scale in map(int, np.unique(scales)):
        chosen = scales == scale
        stores[scale] = PairStore(
            scale=scale,
            pixels=pixels,
            heights=heights[chosen],
            widths=widths[chosen],
            lows=lows[chosen],
            highs=(lows + low_sizes)[chosen],
        )
    return stores

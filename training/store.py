"""All pairs of one scale, stored one after the other in one array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.pairs import Pair, Plane

# Width of the mirrored border around every stored picture, in low-resolution pixels. It is at least the
# receptive field of the shipped networks (14; 15 for large-clean), so that a crop at an edge is trained on
# what the Upscaler shows the network there.
SURROUNDINGS = 16


@dataclass(frozen=True, kw_only=True)
class PairStore:
    """All pairs of one scale inside one array; indexing and iteration give them without their borders.

    Attributes:
        scale: of every pair.
        pixels: the array that holds all planes.
        heights, widths: (N,) sizes of the low-resolution planes in pixels, borders included.
        lows, highs: (N,) positions in ``pixels`` at which the planes begin.
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
        """Return a store whose array holds these pairs and nothing else: itself, or a copy in memory."""
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


def with_surroundings(pair: Pair) -> tuple[Plane, Plane]:
    """Return both planes of a pair with a mirrored border, as they are stored: low, then high."""
    return (
        np.pad(pair.low, SURROUNDINGS, mode="symmetric"),
        np.pad(pair.high, pair.scale * SURROUNDINGS, mode="symmetric"),
    )


def pack(pairs: Iterable[Pair]) -> Mapping[int, PairStore]:
    """Copy pairs into one array in memory and return their stores by scale."""
    sizes, planes = [], []
    for pair in pairs:
        low, high = with_surroundings(pair)
        sizes.append((pair.scale, *low.shape))
        planes += [low.ravel(), high.ravel()]
    return stores_of(sizes, np.concatenate(planes))


def stores_of(sizes: Sequence[tuple[int, int, int]], pixels: Plane) -> Mapping[int, PairStore]:
    """Return the stores, by scale, of an array that holds pairs one after the other.

    Args:
        sizes: scale, height and width of each low-resolution plane, borders included, in the order of
            ``pixels``.
        pixels: each pair's low-resolution plane, then its high-resolution plane.
    """
    scales, heights, widths = np.array(sizes, np.int64).T
    low_sizes = heights * widths
    pair_sizes = low_sizes * (1 + scales**2)
    lows = np.concatenate(([0], np.cumsum(pair_sizes)[:-1]))
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

"""Training pairs: pictures and their low-resolution versions, and how they are made for clean sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from training.config import Tune
from training.imresize import downscale, to_8bit
from training.pictures import each_picture, read_luma

Plane = NDArray[np.uint8]
# Smallest side of a low-resolution picture, in pixels. A smaller one holds less than a training crop.
SMALLEST_SIDE = 64


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A picture and its low-resolution version.

    Attributes:
        scale: 2, 3 or 4.
        low: (H, W) uint8 luma.
        high: (scale*H, scale*W) uint8 luma.
    """

    scale: int
    low: Plane
    high: Plane


class PairMaker(Protocol):
    """A way to make pairs out of high-resolution pictures.

    Attributes:
        tune: of the models that are trained on the pairs.
    """

    tune: ClassVar[Tune]

    def smallest_side(self, scale: int) -> int:
        """Return the number of pixels that each side of a picture must have."""

    def pairs(self, luma: Plane, scale: int) -> Iterator[Pair]:
        """Make the pairs of one picture, always the same of the same picture.

        Args:
            luma: (H, W) uint8, both sides at least :meth:`smallest_side`.
            scale: 2, 3 or 4.
        """


def clean_pair(luma: Plane, scale: int) -> Pair:
    """Crop a picture to a multiple of ``scale`` and reduce it by MATLAB's bicubic, as the benchmarks do."""
    height, width = (n // scale * scale for n in luma.shape)
    high = luma[:height, :width]
    return Pair(scale=scale, low=to_8bit(downscale(high, scale)), high=high)


@dataclass(frozen=True, kw_only=True)
class CleanPairs:
    """Pairs of pictures and their bicubic reductions.

    Attributes:
        tune: see :class:`PairMaker`.
        shifted: reduce each picture four times, from four places of the pixel grid that are half a
            low-resolution pixel apart.
    """

    tune: ClassVar[Tune] = "clean"
    shifted: bool = False

    def smallest_side(self, scale: int) -> int:
        """See :meth:`PairMaker.smallest_side`."""
        return SMALLEST_SIDE * scale + (scale // 2 if self.shifted else 0)

    def pairs(self, luma: Plane, scale: int) -> Iterator[Pair]:
        """See :meth:`PairMaker.pairs`."""
        starts = (0, scale // 2) if self.shifted else (0,)
        for top, left in product(starts, starts):
            yield clean_pair(luma[top:, left:], scale)


def pairs_of_pictures(
    paths: Sequence[Path], maker: PairMaker, scales: Sequence[int], taken: Counter[int]
) -> Iterator[Pair]:
    """Make the pairs of all pictures that are large enough.

    Args:
        paths: the pictures.
        maker: how their pairs are made.
        scales: the scales, each from 2, 3 and 4.
        taken: for each scale, the number of pictures that were large enough is added to it.

    Raises:
        PictureError: after the last picture, if some cannot be read; the message names them all.
    """
    for _, luma in each_picture(paths, read_luma):
        for scale in scales:
            if min(luma.shape) >= maker.smallest_side(scale):
                taken[scale] += 1
                yield from maker.pairs(luma, scale)

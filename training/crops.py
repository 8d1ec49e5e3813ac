"""Random crops of training pairs, turned and mirrored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from training.cache import Pair


class CropSource:
    """Draws batches from the pairs of one scale, from all positions of all pictures.

    Args:
        pairs: of one scale; those smaller than a crop are left out.
        size: side of a low-resolution crop.

    Raises:
        ValueError: no pair is as large as a crop.
    """

    def __init__(self, pairs: Sequence[Pair], size: int) -> None:
        self.pairs = [p for p in pairs if min(p.low.shape) >= size]
        if not self.pairs:
            raise ValueError(f"no picture is as large as a crop of {size} low-resolution pixels")
        self.size = size
        positions = [(p.low.shape[0] - size + 1) * (p.low.shape[1] - size + 1) for p in self.pairs]
        self._cumulative = np.cumsum(positions)

    def _position(self, rng: np.random.Generator) -> tuple[Pair, int, int]:
        chosen = rng.integers(self._cumulative[-1])
        pair = self.pairs[int(np.searchsorted(self._cumulative, chosen, side="right"))]
        y = int(rng.integers(pair.low.shape[0] - self.size + 1))
        return pair, y, int(rng.integers(pair.low.shape[1] - self.size + 1))

    def _detail(self, position: tuple[Pair, int, int]) -> float:
        """Mean difference of neighbours in the low-resolution crop."""
        pair, y, x = position
        crop = pair.low[y : y + self.size, x : x + self.size].astype(np.int16)
        return float(np.abs(np.diff(crop, axis=0)).mean() + np.abs(np.diff(crop, axis=1)).mean())

    def draw(self, rng: np.random.Generator, batch: int) -> tuple[Tensor, Tensor]:
        """One batch of values in 0..1: (batch, 1, size, size) and (batch, 1, scale*size, scale*size)."""
        size = self.size
        scale = self.pairs[0].scale
        low = np.empty((batch, 1, size, size), np.uint8)
        high = np.empty((batch, 1, size * scale, size * scale), np.uint8)
        for i in range(batch):
            # Flat crops teach little: of two, the one with more detail is taken.
            pair, y, x = max((self._position(rng) for _ in range(2)), key=self._detail)
            turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
            a = pair.low[y : y + size, x : x + size]
            b = pair.high[y * scale : (y + size) * scale, x * scale : (x + size) * scale]
            if mirrored:
                a, b = a[:, ::-1], b[:, ::-1]
            low[i, 0] = np.rot90(a, turns)
            high[i, 0] = np.rot90(b, turns)
        return torch.from_numpy(low).float() / 255, torch.from_numpy(high).float() / 255

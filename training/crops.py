"""Random crops of training pairs, turned and mirrored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from training.cache import Pair


class CropSource:
    """Draws batches from the pairs of one scale; every position of every picture is equally likely.

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

    def draw(self, rng: np.random.Generator, batch: int) -> tuple[Tensor, Tensor]:
        """One batch of values in 0..1: (batch, 1, size, size) and (batch, 1, scale*size, scale*size)."""
        size, scale = self.size, self.pairs[0].scale
        low = np.empty((batch, 1, size, size), np.uint8)
        high = np.empty((batch, 1, size * scale, size * scale), np.uint8)
        chosen = rng.integers(self._cumulative[-1], size=batch)
        for i, index in enumerate(np.searchsorted(self._cumulative, chosen, side="right")):
            pair = self.pairs[index]
            y = int(rng.integers(pair.low.shape[0] - size + 1))
            x = int(rng.integers(pair.low.shape[1] - size + 1))
            turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
            a = pair.low[y : y + size, x : x + size]
            b = pair.high[y * scale : (y + size) * scale, x * scale : (x + size) * scale]
            if mirrored:
                a, b = a[:, ::-1], b[:, ::-1]
            low[i, 0] = np.rot90(a, turns)
            high[i, 0] = np.rot90(b, turns)
        return torch.from_numpy(low).float() / 255, torch.from_numpy(high).float() / 255

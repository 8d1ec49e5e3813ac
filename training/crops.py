"""Random crops of training pairs, turned and mirrored, cut on the device that trains."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.store import PairStore
from vs_emtcm.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Random numbers that choose the crops of a batch. Of each two candidates one is taken.

    Attributes:
        chosen: (2 * batch,) int64; numbers of positions, counted through all pictures, which choose pictures.
        place: (2, 2 * batch) float64 in 0..1; where in its picture a crop is, down and across.
        turn: (3, batch, 1, 1, 1) bool; whether a crop is flipped down, flipped across and transposed.
    """

    chosen: Tensor
    place: Tensor
    turn: Tensor

    def to(self, device: torch.device) -> Choice:
        """Return a copy on another device."""
        return Choice(chosen=self.chosen.to(device), place=self.place.to(device), turn=self.turn.to(device))

    def copy_(self, other: Choice) -> None:
        """Take the numbers of another choice of as many crops."""
        self.chosen.copy_(other.chosen, non_blocking=True)
        self.place.copy_(other.place, non_blocking=True)
        self.turn.copy_(other.turn, non_blocking=True)


def check_crops(pairs: PairStore, size: int) -> NDArray[np.bool_]:
    """Return which pairs are large enough for crops, borders included.

    Args:
        pairs: of one scale.
        size: side of a low-resolution crop in pixels.

    Returns:
        (N,) for the N pairs.

    Raises:
        UsageError: none is large enough.
    """
    large = np.minimum(pairs.heights, pairs.widths) >= size
    if not large.any():
        raise UsageError(
            f"no x{pairs.scale} picture is large enough for crops of {size} low-resolution pixels; "
            "give larger pictures or a smaller crop"
        )
    return large


class CropSource:
    """Draws batches of crops from the pairs of one scale; all positions are equally likely, borders included.

    Args:
        pairs: of one scale; those that are smaller than a crop, border included, are left out.
        size: side of a low-resolution crop in pixels.
        device: where crops are cut. The pixels are copied to a GPU once.

    Raises:
        UsageError: no pair is large enough.
    """

    def __init__(self, pairs: PairStore, size: int, device: torch.device) -> None:
        if device.type != "cpu":
            # Other scales' pixels need not be copied to the GPU.
            pairs = pairs.alone()
        large = check_crops(pairs, size)
        self.scale = pairs.scale
        self.size = size
        self.device = device
        self._heights, self._widths, self._lows, self._highs = (
            torch.from_numpy(values[large]).to(device)
            for values in (pairs.heights, pairs.widths, pairs.lows, pairs.highs)
        )
        positions = (self._heights - size + 1) * (self._widths - size + 1)
        self._cumulative = positions.cumsum(0)
        self._positions = int(self._cumulative[-1])
        with warnings.catch_warnings():
            # A cache is opened for reading; nothing here writes to the tensor.
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            pixels = torch.from_numpy(pairs.pixels)
            self._pixels = pixels.to(device)

    def choose(self, rng: np.random.Generator, batch: int) -> Choice:
        """Draw the random numbers of one batch, on the CPU, so that every device cuts the same crops."""
        return Choice(
            chosen=torch.from_numpy(rng.integers(self._positions, size=2 * batch)),
            place=torch.from_numpy(rng.random((2, 2 * batch))),
            turn=torch.from_numpy(rng.integers(2, size=(3, batch, 1, 1, 1)).astype(bool)),
        )

    def cut(self, choice: Choice) -> tuple[Tensor, Tensor]:
        """Cut the crops of a batch.

        Args:
            choice: on the source's device.

        Returns:
            Low resolution (batch, 1, size, size) and high resolution (batch, 1, scale*size, scale*size),
            float32 with values in 0..1.
        """
        n, s, batch = self.size, self.scale, choice.turn.shape[1]
        pair = torch.searchsorted(self._cumulative, choice.chosen, right=True)
        y = (choice.place[0] * (self._heights[pair] - n + 1)).long()
        x = (choice.place[1] * (self._widths[pair] - n + 1)).long()
        low = self._cut(self._lows[pair], self._widths[pair], y, x, n)
        # Flat crops teach little: of two, the one with more detail is taken.
        detail = low.diff(dim=1).abs().mean(dim=(1, 2)) + low.diff(dim=2).abs().mean(dim=(1, 2))
        taken = detail.view(batch, 2).argmax(dim=1) + 2 * torch.arange(batch, device=self.device)
        pair, y, x = pair[taken], y[taken], x[taken]
        high = self._cut(self._highs[pair], self._widths[pair] * s, y * s, x * s, n * s)
        return _turned(low[taken][:, None], choice.turn), _turned(high[:, None], choice.turn)

    def draw(self, rng: np.random.Generator, batch: int) -> tuple[Tensor, Tensor]:
        """Return a batch of random crops; see :meth:`cut`."""
        return self.cut(self.choose(rng, batch).to(self.device))

    def _cut(self, starts: Tensor, widths: Tensor, y: Tensor, x: Tensor, size: int) -> Tensor:
        """Cut N squares out of planes.

        Args:
            starts: (N,) positions of the planes in the pixels.
            widths: (N,) of the planes.
            y, x: (N,) top and left of the squares.
            size: side of the squares.

        Returns:
            (N, size, size) float32 with values in 0..1.
        """
        # Whole rows are gathered: indexing every pixel would take longer than training on it.
        rows = (starts + y * widths + x)[:, None] + torch.arange(size, device=self.device) * widths[:, None]
        return self._pixels.unfold(0, size, 1)[rows].float() / 255


def _turned(crops: Tensor, turn: Tensor) -> Tensor:
    """Turn each of (N, 1, H, H) crops into one of its eight orientations; see :class:`Choice`."""
    crops = torch.where(turn[0], crops.flip(2), crops)
    crops = torch.where(turn[1], crops.flip(3), crops)
    return torch.where(turn[2], crops.transpose(2, 3), crops)

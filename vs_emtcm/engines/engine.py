"""The contract between the Upscaler and what runs the network."""

from __future__ import annotations

from typing import Protocol, Self

import torch
from torch import Tensor


class Engine(Protocol):
    """One network on one device; used by one thread at a time.

    Attributes:
        device: where its tensors live.
        stream: the CUDA stream that its callers work on, or None.
        largest: (height, width) of the largest picture that it takes, or None.
        tile_pixels: of the tiles that it is fastest with, or None where that is the whole picture.
        scale: upscaling factor.
        radius: border, in input pixels, that the caller adds on each side of the picture. A tile
            brings its real surroundings as border, so that it equals the untiled result.
        description: what runs where, for people.
    """

    device: torch.device
    stream: torch.cuda.Stream | None
    largest: tuple[int, int] | None
    tile_pixels: int | None
    scale: int
    radius: int
    description: str

    def __call__(self, x: Tensor) -> Tensor:
        """Upscale luma.

        With a stream, from the second picture of a size on this asks for kernels alone and waits for nothing,
        so that :mod:`vs_emtcm.recorder` can record it.

        Args:
            x: float32 (1, 1, H + 2 * radius, W + 2 * radius) on ``device``: code / 255 of 8-bit
                studio-range luma, nominally 16/255..235/255, not clamped.

        Returns:
            float32 (1, 1, scale * H, scale * W) on ``device``, the same units, not clamped; the caller may
            overwrite it.

        Raises:
            RuntimeError: the device has no room for a picture of this size; see
                :func:`vs_emtcm.errors.is_device_out_of_memory`.
        """
        ...

    def another(self) -> Self:
        """One more of the same for another thread; it shares whatever is no thread's own.

        Raises:
            EmtcmError: there is no room for it.
        """
        ...

    def release(self) -> None:
        """Give back the memory that is kept for the sizes seen so far."""
        ...

"""The protocol of engines: what the Upscaler asks of them."""

from __future__ import annotations

from typing import Protocol, Self

import torch
from torch import Tensor


class Engine(Protocol):
    """Runs one network on one device; used by one thread at a time.

    Attributes:
        scale: upscaling factor.
        device: where its tensors live.
        stream: the CUDA stream that callers must make current before they call it, or None.
        largest: (height, width) in pixels of the largest picture that it takes, without the border, or None.
        tile_pixels: pixels of the tiles that it is fastest with, or None if that is the whole picture.
        radius: border, in input pixels, that the caller adds on each side of the picture. A tile
            brings its real surroundings as border, so that it equals the untiled result.
        description: the library, its version, the device and the precision, for people.
    """

    scale: int
    device: torch.device
    stream: torch.cuda.Stream | None
    largest: tuple[int, int] | None
    tile_pixels: int | None
    radius: int
    description: str

    def __call__(self, x: Tensor) -> Tensor:
        """Upscale luma.

        On a stream, from the second picture of a size on, it only launches kernels and waits for nothing, so
        that :mod:`vs_emtcm.recorder` can record it as a CUDA graph.

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
        """Return an equal engine for another thread; it shares the weights and all that threads may share.

        Raises:
            EmtcmError: there is no memory for it, or no stream.
        """
        ...

    def release(self) -> None:
        """Free the memory that is kept for the sizes of earlier pictures."""
        ...

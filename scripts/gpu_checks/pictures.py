"""Pictures and frames to upscale, made on the spot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from vs_emtcm.formats import PixelFormat, Plane


def texture(height: int, width: int) -> Tensor:
    """Make a picture of waves, checks and noise: float32 (1, 1, height, width), studio-range luma / 255."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).normal(0, 0.03, (height, width))
    values = 0.5 + 0.3 * np.sin(x / 5.1) * np.cos(y / 7.7) + 0.15 * ((x // 9 + y // 7) % 2) + noise
    return torch.from_numpy((16 + 219 * np.clip(values, 0, 1)) / 255).float()[None, None]


def noise_frame(height: int, width: int) -> list[NDArray[np.uint8]]:
    """Make the planes of an 8-bit 4:2:0 frame of noise."""
    rng = np.random.default_rng(0)
    shapes = (height, width), (height // 2, width // 2), (height // 2, width // 2)
    return [rng.integers(16, 236, shape, dtype=np.uint8) for shape in shapes]


def textured_frame(format: PixelFormat, height: int, width: int, shift: int = 0) -> list[Plane]:
    """Make a frame of waves and checks, with different planes.

    Args:
        format: of the samples.
        height: of the frame.
        width: of the frame.
        shift: pixels by which the texture is shifted to the right, so that frames of a film differ.
    """
    planes = []
    for index in range(format.planes):
        rows, columns = format.plane_shape(index, width, height)
        values = np.roll(texture(rows, columns)[0, 0].numpy(), 3 * index + shift, axis=1)
        scale = 1.0 if format.sample_type == "float" else (1 << format.bits) - 1
        planes.append((values * scale).astype(format.dtype))
    return planes

"""Convert between stored samples, code values as float32, and what the network sees."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vs_emtcm.formats import PixelFormat, Range, full_scale

_TORCH_DTYPES = {
    "uint8": torch.uint8,
    "uint16": torch.uint16,
    "float16": torch.float16,
    "float32": torch.float32,
}


def luma_slope_and_offset(format: PixelFormat, range: Range) -> tuple[float, float]:
    """Return ``slope`` and ``offset`` with network value = code value * slope + offset.

    The network sees 8-bit studio-range luma divided by 255. Float luma 0..1 is the nominal range, as
    is full-range luma.
    """
    if format.sample_type == "integer" and range == "limited":
        return 1 / (255 << (format.bits - 8)), 0.0
    return 219 / 255 / full_scale(format), 16 / 255


def to_network(values: Tensor, slope: float, offset: float) -> Tensor:
    """Convert code values of luma to network values, see :func:`luma_slope_and_offset`."""
    values = values * slope
    return values.add_(offset) if offset else values


def from_network(values: Tensor, slope: float, offset: float) -> Tensor:
    """Convert network values of luma to code values; they are overwritten."""
    return (values.sub_(offset) if offset else values).div_(slope)


def deepened(values: Tensor, plane: int, format: PixelFormat, deeper: PixelFormat, range: Range) -> Tensor:
    """Convert code values of a plane to those of a deeper format (ITU-T H.273, 8.3); they are overwritten.

    Args:
        values: code values of ``format``.
        plane: its index.
        format: of the values.
        deeper: the same format with as many bits or more.
        range: of the samples.
    """
    if deeper.bits == format.bits or format.sample_type == "float":
        return values
    is_chroma = format.family == "yuv" and plane in (1, 2)
    is_alpha = format.alpha and plane == format.planes - 1
    if range == "limited" and not is_alpha:
        return values.mul_(1 << (deeper.bits - format.bits))
    middle, deeper_middle = (1 << (each.bits - 1) if is_chroma else 0 for each in (format, deeper))
    return values.sub_(middle).mul_(full_scale(deeper) / full_scale(format)).add_(deeper_middle)


def to_samples(values: Tensor, format: PixelFormat) -> Tensor:
    """Convert code values to the dtype of a plane; those of integer samples are rounded and clamped.

    The values are overwritten, so that a large picture is in memory once.
    """
    if format.sample_type == "integer":
        values = values.round_().clamp_(0, full_scale(format))
    return values.to(torch_dtype(format.dtype))


def torch_dtype(dtype: np.dtype[np.uint8 | np.uint16 | np.float16 | np.float32]) -> torch.dtype:
    """Return PyTorch's name for the dtype of a plane."""
    return _TORCH_DTYPES[dtype.name]

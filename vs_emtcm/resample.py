"""Polyphase Spline36 interpolation of chroma and alpha, as fixed convolutions on any device."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from vs_emtcm.planes import ChromaLocation

# Position of a chroma sample within the luma samples it belongs to: 0 is the first, 1 the last.
_HORIZONTAL = {
    "left": 0.0,
    "center": 0.5,
    "top_left": 0.0,
    "top": 0.5,
    "bottom_left": 0.0,
    "bottom": 0.5,
}
_VERTICAL = {
    "left": 0.5,
    "center": 0.5,
    "top_left": 0.0,
    "top": 0.0,
    "bottom_left": 1.0,
    "bottom": 1.0,
}
RADIUS = 4
# Samples that are worked on at once: a convolution of few channels needs many times the room of its result,
# and on a processor is twice as fast in its cache.
CPU_BAND, GPU_BAND = 1 << 18, 1 << 22


def chroma_shift(subsampling: tuple[int, int], location: ChromaLocation) -> tuple[float, float]:
    """Distance (horizontal, vertical) of chroma from the centre of its luma, in chroma samples.

    The left location of 4:2:0 lies on the first of two luma samples: a quarter of a chroma sample
    left of their centre, (-0.25, 0).
    """
    shifts = []
    for log2, place in zip(subsampling, (_HORIZONTAL[location], _VERTICAL[location]), strict=True):
        covered = 1 << log2
        shifts.append((place - 0.5) * (covered - 1) / covered)
    return shifts[0], shifts[1]


def spline36(distance: Tensor) -> Tensor:
    """The Spline36 kernel (Panorama Tools, H. Dersch), zero from a distance of 3 on."""
    d = distance.abs()
    near = ((13 / 11 * d - 453 / 209) * d - 3 / 209) * d + 1
    e = d - 1
    middle = ((-6 / 11 * e + 270 / 209) * e - 156 / 209) * e
    e = d - 2
    far = ((1 / 11 * e - 45 / 209) * e + 26 / 209) * e
    outer = torch.where(d < 3, far, torch.zeros_like(d))
    return torch.where(d < 1, near, torch.where(d < 2, middle, outer))


@lru_cache(maxsize=64)
def phase_kernels(scale: int, shift: float, device: torch.device) -> Tensor:
    """One kernel per output phase.

    Args:
        scale: upscaling factor.
        shift: see :func:`chroma_shift`; the same before and after, each in its own samples.

    Returns:
        float32 (scale, 2 * RADIUS + 1), each row summing to one.
    """
    phases = torch.arange(scale, dtype=torch.float64)
    # Output sample j lies at (j + 0.5 + shift) / scale - 0.5 - shift in input samples.
    positions = (phases + 0.5 + shift) / scale - 0.5 - shift
    taps = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64)
    kernels = spline36(taps[None, :] - positions[:, None])
    return (kernels / kernels.sum(dim=1, keepdim=True)).float().to(device)


def _upscale_rows(plane: Tensor, kernels: Tensor) -> Tensor:
    _, _, height, width = plane.shape
    result = plane.new_empty((1, 1, len(kernels) * height, width))
    columns = max(1, (GPU_BAND if plane.is_cuda else CPU_BAND) // height)
    for start in range(0, width, columns):
        band = plane[..., start : start + columns]
        result[..., start : start + columns] = _upscale_band(band, kernels)
    return result


def _upscale_band(plane: Tensor, kernels: Tensor) -> Tensor:
    _, _, height, width = plane.shape
    # Differences to the centre sample keep a flat field exactly flat in float arithmetic.
    weights = kernels.clone()
    weights[:, RADIUS] -= 1
    # A GPU would multiply with ten bits (TF32) if it were single precision.
    exact = torch.float64 if plane.is_cuda else torch.float32
    padded = F.pad(plane, (0, 0, RADIUS, RADIUS), mode="replicate")
    phases = F.conv2d(padded.to(exact), weights[:, None, :, None].to(exact)).float()
    phases += plane
    return phases.permute(0, 2, 1, 3).reshape(1, 1, height * len(kernels), width)


def upscale(plane: Tensor, scale: int, shift: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Interpolate a plane; edges are replicated.

    Args:
        plane: (1, 1, H, W) float32.
        scale: upscaling factor.
        shift: (horizontal, vertical) of :func:`chroma_shift`, kept from input to output.

    Returns:
        (1, 1, scale * H, scale * W) float32.
    """
    rows = _upscale_rows(plane, phase_kernels(scale, shift[1], plane.device))
    columns = _upscale_rows(rows.transpose(2, 3), phase_kernels(scale, shift[0], plane.device))
    return columns.transpose(2, 3)

"""Chroma: interpolated where its siting says it lies, with the detail of upscaled luma that it follows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vs_emtcm import resample
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
# Squares of the twelve steps between nine samples, summed, in code values of 8 bits, that may be noise.
LUMA_NOISE, CHROMA_NOISE = 24.0, 6.0
# Chroma samples that are worked on at once.
CPU_BAND, GPU_BAND = 1 << 16, 1 << 22


@dataclass(frozen=True, kw_only=True)
class Luma:
    """Luma where the samples of chroma lie, in code values.

    Attributes:
        before: (1, 1, H, W) float32, as large as chroma.
        after: float32, as large as the result: (1, 1, scale * H, scale * W), less what an odd size does not
            fill.
    """

    before: Tensor
    after: Tensor


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


def luma_at_chroma(luma: Tensor, subsampling: tuple[int, int], location: ChromaLocation) -> Tensor:
    """The mean of luma around each chroma sample, over the area that one covers; edges are replicated.

    Args:
        luma: (1, 1, H, W).
        subsampling: base-2 logarithm, (horizontal, vertical).
        location: of chroma.

    Returns:
        (1, 1, H, W) of chroma, rounded up.
    """
    rows = _mean_across(luma.mT, 1 << subsampling[1], _VERTICAL[location]).mT
    return _mean_across(rows, 1 << subsampling[0], _HORIZONTAL[location])


def _mean_across(plane: Tensor, covered: int, place: float) -> Tensor:
    width = plane.shape[-1]
    samples = -(-width // covered)
    # The area begins and ends here, relative to the first of the samples, each of which is one wide.
    begins, ends = place * (covered - 1) - covered / 2, place * (covered - 1) + covered / 2
    overlaps = {i: min(i + 0.5, ends) - max(i - 0.5, begins) for i in range(1 - covered, 2 * covered - 1)}
    weights = {i: overlap / covered for i, overlap in overlaps.items() if overlap > 0}
    before, last = -min(weights), (samples - 1) * covered
    beyond = max(0, last + max(weights) - (width - 1))
    if before or beyond:
        plane = F.pad(plane, (before, beyond, 0, 0), mode="replicate")
    mean: Tensor | None = None
    for offset, weight in weights.items():
        part = plane[..., before + offset : before + offset + last + 1 : covered]
        mean = part * weight if mean is None else mean.add_(part, alpha=weight)
    assert mean is not None
    return mean


def upscale(chroma: Tensor, luma: Luma, scale: int, shift: tuple[float, float], code: float) -> Tensor:
    """Interpolate a plane of chroma by Spline36, and add what that misses of luma where chroma follows it.

    How far it follows is the slope of a regression of its gradients on those of luma over 3x3 samples (a
    local linear model, as in He, Sun and Tang, "Guided image filtering", ECCV 2010), times the square of
    their correlation. Flat chroma stays flat, and beside flat luma chroma is Spline36's.

    Args:
        chroma: (1, 1, H, W) float32 code values, of any offset.
        luma: where its samples lie.
        scale: upscaling factor.
        shift: of :func:`chroma_shift`.
        code: one code value of 8 bits, in these code values.

    Returns:
        Float32 code values, as large as ``luma.after``.
    """
    height, width = chroma.shape[-2:]
    result = torch.empty_like(luma.after)
    rows = max(1, (GPU_BAND if chroma.is_cuda else CPU_BAND) // width)
    for top in range(0, height, rows):
        # With its surroundings, of which no kernel sees more than RADIUS rows.
        first, end = max(0, top - resample.RADIUS), min(height, top + rows + resample.RADIUS)
        part, before = chroma[..., first:end, :], luma.before[..., first:end, :]
        slope = _slope(part, before, code)
        after = luma.after[..., scale * top : scale * (top + rows), :]
        skip = scale * (top - first)
        crop = ..., slice(skip, skip + after.shape[2]), slice(after.shape[3])
        detail = after - resample.upscale(before, scale, shift)[crop]
        detail.mul_(resample.upscale(slope, scale, shift, resample.b_spline)[crop])
        detail.add_(resample.upscale(part, scale, shift)[crop])
        result[..., scale * top : scale * (top + rows), :] = detail
    return result


def _slope(chroma: Tensor, luma: Tensor, code: float) -> Tensor:
    chroma, luma = (F.pad(plane, (1, 1, 1, 1), mode="replicate") for plane in (chroma, luma))
    right, luma_right, below, luma_below = (x.diff(dim=d) for d in (3, 2) for x in (chroma, luma))
    product = _sum_of_steps(right * luma_right, below * luma_below)
    of_luma = _sum_of_steps(luma_right * luma_right, luma_below * luma_below).add_(LUMA_NOISE * code**2)
    of_chroma = _sum_of_steps(right * right, below * below).add_(CHROMA_NOISE * code**2)
    slope = product / of_luma
    return (slope * slope).mul_(product).div_(of_chroma)


def _sum_of_steps(right: Tensor, below: Tensor) -> Tensor:
    """Of what belongs to the twelve steps between the nine samples around each, to the right and to below."""
    right = right[..., :-1] + right[..., 1:]
    below = below[..., :-1, :] + below[..., 1:, :]
    total = (right[..., :-2, :] + right[..., 1:-1, :]).add_(right[..., 2:, :])
    return total.add_(below[..., :-2]).add_(below[..., 1:-1]).add_(below[..., 2:])

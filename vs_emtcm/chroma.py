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
# What may be noise of the twelve differences between neighbours in 3x3 samples: their squares, summed, in
# squared code values of 8 bits.
LUMA_NOISE, CHROMA_NOISE = 24.0, 6.0
# Of the slope that is used: what is the median of its 3x3 neighbourhood, and what all of that agrees on.
MEDIAN, AGREED = 0.4, 0.1


@dataclass(frozen=True, kw_only=True)
class Guide:
    """What chroma follows: luma where the samples of chroma lie, in code values, float32.

    Attributes:
        right: (1, 1, H + 2, W + 1), the steps of luma from each sample to the next, edges replicated.
        below: (1, 1, H + 1, W + 2), the same downwards.
        energy: (1, 1, H, W), their squares around each sample, summed, and the noise that may be in them.
        detail: what interpolation misses of luma, as large as the result: (1, 1, scale * H, scale * W), less
            what an odd size does not fill.
    """

    right: Tensor
    below: Tensor
    energy: Tensor
    detail: Tensor

    def steps(self, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Those to the right and to below of some rows of samples, and their energy."""
        first, end = rows.start, rows.stop
        return (
            self.right[..., first : end + 2, :],
            self.below[..., first : end + 1, :],
            self.energy[..., rows, :],
        )


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


def luma_guide(before: Tensor, after: Tensor, scale: int, shift: tuple[float, float], code: float) -> Guide:
    """What the planes of chroma of a frame have in common.

    Args:
        before: (1, 1, H, W) float32 code values of luma, where the samples of chroma lie.
        after: the same of upscaled luma, as large as the result; it is overwritten.
        scale: upscaling factor.
        shift: of :func:`chroma_shift`.
        code: one code value of 8 bits, in these code values.
    """
    right, below = _steps(before)
    energy = _sum_of_steps(right * right, below * below).add_(LUMA_NOISE * code**2)
    detail = resample.add_upscaled(after, before, scale, shift, factor=-1)
    return Guide(right=right, below=below, energy=energy, detail=detail)


def upscale(chroma: Tensor, guide: Guide, scale: int, shift: tuple[float, float], code: float) -> Tensor:
    """Interpolate a plane of chroma by Spline36, and add what that misses of luma where chroma follows it.

    How far it follows is the slope of a regression of its gradients on those of luma over 3x3 samples (a
    local linear model, as in He, Sun and Tang, "Guided image filtering", ECCV 2010), times the square of
    their correlation, and drawn towards the slopes around it: that of one edge would make false colours of
    the detail of another. Flat chroma stays flat, and beside flat luma chroma is Spline36's.

    Args:
        chroma: (1, 1, H, W) float32 code values, of any offset.
        guide: its luma.
        scale: upscaling factor.
        shift: of :func:`chroma_shift`.
        code: one code value of 8 bits, in these code values.

    Returns:
        Float32 code values, as large as ``guide.detail``.
    """
    return _following(chroma, _slope(chroma, guide, code), guide, scale, shift)


def upscale_channel(channel: Tensor, luma: Tensor, guide: Guide, scale: int, code: float) -> Tensor:
    """The same for red, green or blue, whose chroma is the difference to luma.

    Interpolated, the difference and luma make up the channel. What they miss is luma's detail: once for luma,
    and as often as the slope says for the difference.

    Args:
        channel: (1, 1, H, W) float32 code values.
        luma: (1, 1, H, W).
        guide: of it.
        scale: upscaling factor.
        code: one code value of 8 bits, in these code values.

    Returns:
        (1, 1, scale * H, scale * W) float32 code values.
    """
    return _following(channel, _slope(channel - luma, guide, code).add_(1), guide, scale, (0.0, 0.0))


def _following(plane: Tensor, slope: Tensor, guide: Guide, scale: int, shift: tuple[float, float]) -> Tensor:
    result = torch.empty_like(guide.detail)
    for band in resample.bands(plane):
        rows = result[..., band.result_rows(scale), :]
        smooth, spread = (
            band.cropped(resample.upscale(x[..., band.seen, :], scale, shift, kernel), scale, rows)
            for x, kernel in ((plane, resample.spline36), (slope, resample.b_spline))
        )
        torch.addcmul(smooth, guide.detail[..., band.result_rows(scale), :], spread, out=rows)
    return result


def _slope(chroma: Tensor, guide: Guide, code: float) -> Tensor:
    result = torch.empty_like(chroma)
    for band in resample.bands(chroma):
        right, below = _steps(chroma[..., band.seen, :])
        luma_right, luma_below, luma_energy = guide.steps(band.seen)
        product = _sum_of_steps(right * luma_right, below * luma_below)
        energy = _sum_of_steps(right * right, below * below).add_(CHROMA_NOISE * code**2)
        slope = product / luma_energy
        agreed = _in_agreement((slope * slope).mul_(product).div_(energy))
        rows = result[..., band.result_rows(1), :]
        rows.copy_(band.cropped(agreed, 1, rows))
    return result


def _in_agreement(slope: Tensor) -> Tensor:
    least, median, greatest = _order_of_nine(slope)
    # The one nearest to zero, or zero where signs differ.
    agreed = least.clamp_(min=0).add_(greatest.clamp_(max=0))
    return slope.mul_(1 - MEDIAN - AGREED).add_(median, alpha=MEDIAN).add_(agreed, alpha=AGREED)


def _order_of_nine(plane: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Least, median and greatest of the 3x3 samples around each; edges are replicated.

    Columns are sorted first, which neighbours share (A. Paeth, "Median finding on a 3x3 grid", in Graphics
    Gems, 1990).
    """
    padded = F.pad(plane, (1, 1, 1, 1), mode="replicate")
    columns = _order_of_three(padded[..., :-2, :], padded[..., 1:-1, :], padded[..., 2:, :])
    low, middle, high = ((c[..., :-2], c[..., 1:-1], c[..., 2:]) for c in columns)
    least, _, high_of_low = _order_of_three(*low)
    _, middle_of_middle, _ = _order_of_three(*middle)
    low_of_high, _, greatest = _order_of_three(*high)
    return least, _order_of_three(high_of_low, middle_of_middle, low_of_high)[1], greatest


def _order_of_three(one: Tensor, two: Tensor, three: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low, high = torch.minimum(one, two), torch.maximum(one, two)
    middle = torch.maximum(low, torch.minimum(high, three))
    return torch.minimum(low, three), middle, torch.maximum(high, three)


def _steps(plane: Tensor) -> tuple[Tensor, Tensor]:
    plane = F.pad(plane, (1, 1, 1, 1), mode="replicate")
    return plane.diff(dim=3), plane.diff(dim=2)


def _sum_of_steps(right: Tensor, below: Tensor) -> Tensor:
    """Of what belongs to the twelve steps between the nine samples around each, to the right and to below."""
    right = right[..., :-1] + right[..., 1:]
    below = below[..., :-1, :] + below[..., 1:, :]
    total = (right[..., :-2, :] + right[..., 1:-1, :]).add_(right[..., 2:, :])
    return total.add_(below[..., :-2]).add_(below[..., 1:-1]).add_(below[..., 2:])

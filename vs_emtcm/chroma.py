"""Upscale chroma: interpolate it from where it lies, and add the detail of luma that it follows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vs_emtcm import resample
from vs_emtcm.formats import ChromaLocation

# Horizontal position of a chroma sample within the luma samples it covers: 0 is the first, 1 the last.
_HORIZONTAL = {
    "left": 0.0,
    "center": 0.5,
    "top_left": 0.0,
    "top": 0.5,
    "bottom_left": 0.0,
    "bottom": 0.5,
}
# Vertical position, counted alike.
_VERTICAL = {
    "left": 0.5,
    "center": 0.5,
    "top_left": 0.0,
    "top": 0.0,
    "bottom_left": 1.0,
    "bottom": 1.0,
}
# Gradient energy is the sum of the squares of the twelve differences between neighbours in 3x3 samples, in
# squared code values of 8 bits. This much of luma's may be noise.
LUMA_NOISE = 24.0
# This much of chroma's gradient energy may be noise.
CHROMA_NOISE = 6.0
# Share of the slope that is the median of its 3x3 neighbourhood.
MEDIAN_SHARE = 0.4
# Share of the slope that is what all of its 3x3 neighbourhood agrees on.
AGREED_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class Guide:
    """The gradients and the detail of luma that chroma follows, float32 code values.

    Luma is taken where the samples of chroma lie.

    Attributes:
        right: (1, 1, H + 2, W + 1), the differences of luma from each sample to the next one on the right,
            with edges replicated by one sample.
        below: (1, 1, H + 1, W + 2), the differences to the next one below.
        energy: (1, 1, H, W), the gradient energy around each sample plus LUMA_NOISE.
        detail: (1, 1, scale * H, scale * W), less what an odd size does not fill: upscaled luma minus
            interpolated luma.
    """

    right: Tensor
    below: Tensor
    energy: Tensor
    detail: Tensor

    def rows(self, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``right``, ``below`` and ``energy`` of some rows of samples."""
        first, end = rows.start, rows.stop
        return (
            self.right[..., first : end + 2, :],
            self.below[..., first : end + 1, :],
            self.energy[..., rows, :],
        )


def chroma_shift(subsampling: tuple[int, int], location: ChromaLocation) -> tuple[float, float]:
    """Return the distance (horizontal, vertical) of chroma from the centre of its luma, in chroma samples.

    The left location of 4:2:0 lies on the first of two luma samples: a quarter of a chroma sample
    left of their centre, (-0.25, 0).

    Args:
        subsampling: base-2 logarithm, (horizontal, vertical).
        location: of chroma.
    """
    shifts = []
    for log2, place in zip(subsampling, (_HORIZONTAL[location], _VERTICAL[location]), strict=True):
        covered = 1 << log2
        shifts.append((place - 0.5) * (covered - 1) / covered)
    return shifts[0], shifts[1]


def luma_at_chroma(luma: Tensor, subsampling: tuple[int, int], location: ChromaLocation) -> Tensor:
    """Average luma over the area that each chroma sample covers; edges are replicated.

    Args:
        luma: (1, 1, H, W).
        subsampling: base-2 logarithm, (horizontal, vertical).
        location: of chroma.

    Returns:
        New memory, (1, 1, H, W) of chroma, its size rounded up.
    """
    rows = _mean_across(luma.mT, 1 << subsampling[1], _VERTICAL[location]).mT
    return _mean_across(rows, 1 << subsampling[0], _HORIZONTAL[location])


def _mean_across(plane: Tensor, covered: int, place: float) -> Tensor:
    """Average the samples of each row that a chroma sample covers.

    Args:
        plane: (1, 1, H, W).
        covered: luma samples for each chroma sample.
        place: of the chroma sample among them, 0 for the first and 1 for the last.
    """
    width = plane.shape[-1]
    samples = -(-width // covered)
    # Where the area begins and ends, relative to the first luma sample. A luma sample is one wide.
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


def luma_guide(
    luma: Tensor, upscaled: Tensor, scale: int, shift: tuple[float, float], code_step: float
) -> Guide:
    """Compute what :func:`upscale` needs of luma, once for both planes of chroma.

    Args:
        luma: (1, 1, H, W) float32 code values, where the samples of chroma lie.
        upscaled: upscaled luma where the samples of upscaled chroma lie, as large as the result; it is
            overwritten and becomes the guide's detail.
        scale: upscaling factor.
        shift: see :func:`chroma_shift`.
        code_step: one code value of 8 bits, in the units of the planes.
    """
    right, below = _differences(luma)
    energy = _sum_around(right * right, below * below).add_(LUMA_NOISE * code_step**2)
    detail = resample.add_upscaled(upscaled, luma, scale, shift, factor=-1)
    return Guide(right=right, below=below, energy=energy, detail=detail)


def upscale(chroma: Tensor, guide: Guide, scale: int, shift: tuple[float, float], code_step: float) -> Tensor:
    """Interpolate a plane of chroma by Spline36, and add luma's detail where chroma follows luma.

    How far it follows is the slope of a regression of its gradients on those of luma over 3x3 samples (a
    local linear model, as in He, Sun and Tang, "Guided image filtering", ECCV 2010), times the square of
    their correlation, and drawn towards the slopes around it: that of one edge would make false colours of
    the detail of another. Flat chroma stays flat, and beside flat luma chroma is Spline36's.

    Args:
        chroma: (1, 1, H, W) float32 code values, of any offset.
        guide: see :func:`luma_guide`.
        scale: upscaling factor.
        shift: see :func:`chroma_shift`.
        code_step: one code value of 8 bits, in the units of ``chroma``.

    Returns:
        Float32 code values, as large as ``guide.detail``.
    """
    return _with_detail(chroma, _slope(chroma, guide, code_step), guide, scale, shift)


def upscale_channel(channel: Tensor, luma: Tensor, guide: Guide, scale: int, code_step: float) -> Tensor:
    """Upscale red, green or blue, whose difference to luma is treated as chroma by :func:`upscale`.

    A channel is luma plus this difference. Interpolation of the channel misses luma's detail: once for luma,
    and as often as the slope says for the difference.

    Args:
        channel: (1, 1, H, W) float32 code values.
        luma: (1, 1, H, W).
        guide: made of ``luma``, without a shift.
        scale: upscaling factor.
        code_step: one code value of 8 bits, in the units of the planes.

    Returns:
        (1, 1, scale * H, scale * W) float32 code values.
    """
    return _with_detail(channel, _slope(channel - luma, guide, code_step).add_(1), guide, scale, (0.0, 0.0))


def _with_detail(
    plane: Tensor, slope: Tensor, guide: Guide, scale: int, shift: tuple[float, float]
) -> Tensor:
    """Interpolate a plane, and add the guide's detail times the smoothly interpolated slope."""
    result = torch.empty_like(guide.detail)
    for band in resample.bands(plane):
        rows = result[..., band.result_rows(scale), :]
        smooth, spread = (
            band.cropped(resample.upscale(x[..., band.seen, :], scale, shift, kernel), scale, rows)
            for x, kernel in ((plane, resample.spline36), (slope, resample.b_spline))
        )
        torch.addcmul(smooth, guide.detail[..., band.result_rows(scale), :], spread, out=rows)
    return result


def _slope(chroma: Tensor, guide: Guide, code_step: float) -> Tensor:
    """Return how much detail of luma chroma takes at each sample, (1, 1, H, W); see :func:`upscale`."""
    result = torch.empty_like(chroma)
    for band in resample.bands(chroma):
        right, below = _differences(chroma[..., band.seen, :])
        luma_right, luma_below, luma_energy = guide.rows(band.seen)
        product = _sum_around(right * luma_right, below * luma_below)
        energy = _sum_around(right * right, below * below).add_(CHROMA_NOISE * code_step**2)
        slope = product / luma_energy
        # The slope times the squared correlation, which is slope * product / energy.
        agreed = _in_agreement((slope * slope).mul_(product).div_(energy))
        rows = result[..., band.result_rows(1), :]
        rows.copy_(band.cropped(agreed, 1, rows))
    return result


def _in_agreement(slope: Tensor) -> Tensor:
    """Draw slopes (1, 1, H, W) towards their 3x3 neighbourhoods; they are overwritten."""
    least, median, greatest = _order_of_nine(slope)
    # The one nearest to zero, or zero where signs differ.
    agreed = least.clamp_(min=0).add_(greatest.clamp_(max=0))
    slope.mul_(1 - MEDIAN_SHARE - AGREED_SHARE)
    return slope.add_(median, alpha=MEDIAN_SHARE).add_(agreed, alpha=AGREED_SHARE)


def _order_of_nine(plane: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return least, median and greatest of the 3x3 samples around each; edges are replicated.

    Columns, which neighbours share, are sorted first (A. Paeth, "Median finding on a 3x3 grid", in Graphics
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
    """Return least, median and greatest of three samples at each place."""
    low, high = torch.minimum(one, two), torch.maximum(one, two)
    middle = torch.maximum(low, torch.minimum(high, three))
    return torch.minimum(low, three), middle, torch.maximum(high, three)


def _differences(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Return the differences to the right and downwards, shaped as those of :class:`Guide`."""
    plane = F.pad(plane, (1, 1, 1, 1), mode="replicate")
    return plane.diff(dim=3), plane.diff(dim=2)


def _sum_around(right: Tensor, below: Tensor) -> Tensor:
    """Sum over the six differences to the right and the six downwards among the 3x3 samples around each.

    Args:
        right: (1, 1, H + 2, W + 1), a value for each difference to the right.
        below: (1, 1, H + 1, W + 2), a value for each difference downwards.

    Returns:
        (1, 1, H, W).
    """
    right = right[..., :-1] + right[..., 1:]
    below = below[..., :-1, :] + below[..., 1:, :]
    total = (right[..., :-2, :] + right[..., 1:-1, :]).add_(right[..., 2:, :])
    return total.add_(below[..., :-2]).add_(below[..., 1:-1]).add_(below[..., 2:])

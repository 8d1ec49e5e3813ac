"""Work around a network that removes noise: restore faint detail in luma, and denoise chroma as well.

Such a network cannot tell faint texture from noise, and it sees luma alone. The residual, which is the luma
of a frame minus its upscaled luma reduced to the same size, says how much noise there is.

Thresholds are in code values of 8 bits, variances in their squares. Functions take ``code_step``, the size of
one code value of 8 bits in the units of their planes, and scale the thresholds by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vs_emtcm import resample

# Share of a residual far below FAINT_RESIDUAL that is restored. In plain areas of a frame without noise it
# doubles, and so does FAINT_RESIDUAL.
RESTORED_SHARE = 0.5
# Residual, in code values, of which half of RESTORED_SHARE is restored; of larger ones less and less is.
FAINT_RESIDUAL = 3.0
# Noise floor, as a variance, that halves the doubling.
HALVING_FLOOR = 0.3
# Variance of luma in a window that halves the doubling.
HALVING_VARIANCE = 50.0

# The noise floor is this quantile of the noise of a frame's blocks.
FLOOR_QUANTILE = 0.2
# Side of the blocks for the noise floor, in samples.
FLOOR_BLOCK = 8
# Mean square of the residual up to which a block does not count: black bars are flat, whatever the noise of
# the rest.
FLAT_BLOCK = 0.01

# Variance of noise in chroma where luma has none.
MIN_CHROMA_NOISE = 0.5
# Variance of noise in chroma for each unit of variance of noise in luma.
CHROMA_NOISE_PER_LUMA_NOISE = 2.0
# The epsilon of a guided filter: variance of luma that may be noise, where chroma is regressed on it.
GUIDE_EPSILON = 2.0
# Smallest variance of the rest of chroma that luma does not explain, because it is divided by.
MIN_REST_VARIANCE = 1e-3

# Side of the windows of the regression, in samples.
GUIDE_WINDOW = 5
# Side of the windows over which luma's noise, and luma's variance beside it, are measured, in samples.
NOISE_WINDOW = 9
# How far a sample of denoised chroma depends on chroma and luma: a window of windows.
GUIDE_REACH = GUIDE_WINDOW // 2 * 2
# How far a sample of denoised chroma depends on the residual: a window of noise windows.
NOISE_REACH = GUIDE_WINDOW // 2 + NOISE_WINDOW // 2
# How far upscaled chroma depends on the network's result, which the residual is made of, in chroma samples.
REACH = NOISE_REACH + resample.RADIUS

# Error of a variance in single precision, for each unit of the squared mean.
VARIANCE_ROUNDING = 1e-6
# Largest magnitude, in code values, of the origin from which samples are measured.
LARGEST_ORIGIN = 256


def block_means(upscaled: Tensor, scale: int) -> Tensor:
    """Return the means of blocks of ``scale`` x ``scale`` samples.

    Args:
        upscaled: (1, 1, scale * H, scale * W).
        scale: side of the blocks, 2 or more.

    Returns:
        (1, 1, H, W).
    """
    # Nine times as fast as average pooling on a CPU.
    for dim in (2, 3):
        first, second, *others = (_every(upscaled, scale, start, dim) for start in range(scale))
        total = first + second
        for other in others:
            total.add_(other)
        upscaled = total
    return upscaled.mul_(1 / scale**2)


def _every(plane: Tensor, step: int, start: int, dim: int) -> Tensor:
    return plane[..., start::step, :] if dim == 2 else plane[..., start::step]


def noise_floor(residual: Tensor, code_step: float) -> Tensor:
    """Estimate the variance of the noise that all of a frame has, as a low quantile over its blocks.

    Args:
        residual: (1, 1, H, W), what the network took away.
        code_step: one code value of 8 bits, in the units of ``residual``.

    Returns:
        (1,) in squared units of ``residual``, on its device; 0 if every block is flat.
    """
    energy = F.avg_pool2d(residual * residual, FLOOR_BLOCK, ceil_mode=True).flatten()
    # This comparison leaves NaN out as well. A CUDA graph records this function: nothing may wait for a
    # value, and no shape may depend on one.
    noisy = energy > FLAT_BLOCK * code_step**2
    number = noisy.sum(dim=0, keepdim=True)
    place = (FLOOR_QUANTILE * (number - 1).double()).long().clamp_(min=0)
    ordered = energy.masked_fill_(~noisy, torch.inf).sort().values
    return ordered.gather(0, place).masked_fill_(number == 0, 0)


def restore_detail(
    upscaled: Tensor, denoised: Tensor, residual: Tensor, floor: Tensor, scale: int, code_step: float
) -> Tensor:
    """Add some of the residual to upscaled luma, the more the fainter it is; ``upscaled`` is overwritten.

    A residual r gives s RESTORED_SHARE r / (1 + (r / (s FAINT_RESIDUAL))^2), interpolated by Spline36. The
    strength s = 1 + 1 / ((1 + (floor / HALVING_FLOOR)^2) (1 + v / HALVING_VARIANCE)) lies between 1 and 2,
    with v the variance of luma around the sample: in plain areas of a clean frame the residual is hardly
    noise.

    Args:
        upscaled: (1, 1, scale * H, scale * W) float32 code values.
        denoised: (1, 1, H, W), the :func:`block_means` of ``upscaled``.
        residual: (1, 1, H, W), the luma of the source minus ``denoised``.
        floor: (1,), see :func:`noise_floor`.
        scale: upscaling factor.
        code_step: one code value of 8 bits, in the units of the planes.

    Returns:
        ``upscaled``.
    """
    restored = torch.empty_like(residual)
    quiet = 1 / (floor / (HALVING_FLOOR * code_step**2)).square_().add_(1)
    padded = _padded(denoised - _origin(denoised, code_step), NOISE_WINDOW // 2)
    for band in resample.bands(residual):
        rows, windows = slice(band.top, band.end), slice(band.top, band.end + NOISE_WINDOW - 1)
        _, variance = _mean_and_variance(padded[..., windows, :], NOISE_WINDOW)
        # Where luma is NaN or infinite, the strength is 1.
        strength = (quiet / variance.div_(HALVING_VARIANCE * code_step**2).add_(1)).nan_to_num_(0).add_(1)
        part = residual[..., rows, :]
        damping = (part / (strength * (FAINT_RESIDUAL * code_step))).square_().add_(1)
        torch.div(strength.mul_(part), damping, out=restored[..., rows, :])
    return resample.add_upscaled(upscaled, restored, scale, factor=RESTORED_SHARE)


@dataclass(frozen=True, kw_only=True)
class LumaStatistics:
    """Denoised luma where the samples of chroma lie, with its statistics for a guided filter.

    Attributes:
        plane: (1, 1, H, W) float32 code values, minus an origin near them.
        padded: (1, 1, H + 8, W + 8), ``plane`` with edges replicated by GUIDE_REACH.
        mean: (1, 1, H + 4, W + 4), the means of the windows of ``padded``.
        variance: (1, 1, H + 4, W + 4), the variances of these windows.
        chroma_noise: (1, 1, H + 4, W + 4), the variance of the noise that chroma may have there.
    """

    plane: Tensor
    padded: Tensor
    mean: Tensor
    variance: Tensor
    chroma_noise: Tensor


def luma_statistics(denoised: Tensor, residual: Tensor, code_step: float) -> LumaStatistics:
    """Compute what :func:`denoise_chroma` needs of luma, once for both planes of chroma.

    Args:
        denoised: (1, 1, H, W) float32 code values of denoised luma, where the samples of chroma lie.
        residual: (1, 1, H, W), the residual of luma there.
        code_step: one code value of 8 bits, in the units of the planes.
    """
    plane = denoised - _origin(denoised, code_step)
    padded = _padded(plane, GUIDE_REACH)
    mean, variance = _mean_and_variance(padded, GUIDE_WINDOW)
    luma_noise = _window_mean(_padded(residual * residual, NOISE_REACH), NOISE_WINDOW)
    chroma_noise = luma_noise.mul_(CHROMA_NOISE_PER_LUMA_NOISE).add_(MIN_CHROMA_NOISE * code_step**2)
    return LumaStatistics(plane=plane, padded=padded, mean=mean, variance=variance, chroma_noise=chroma_noise)


def denoise_chroma(chroma: Tensor, luma: LumaStatistics, code_step: float) -> Tensor:
    """Remove the noise of a plane of chroma, as far as luma and its own variance tell it from detail.

    In every window, chroma is a linear function of luma plus a rest (He, Sun and Tang, "Guided image
    filtering", ECCV 2010). The share of the rest that is kept is the share of its variance that exceeds the
    noise's (Lee, "Digital image enhancement and noise filtering by use of local statistics", IEEE PAMI 2(2),
    1980). A sample of the result is the mean over all windows that contain it.

    Args:
        chroma: (1, 1, H, W) float32 code values, of any offset.
        luma: statistics of the same frame's luma.
        code_step: one code value of 8 bits, in the units of ``chroma``.

    Returns:
        (1, 1, H, W) float32 code values.
    """
    origin = _origin(chroma, code_step)
    plane = chroma - origin
    padded = _padded(plane, GUIDE_REACH)
    result = torch.empty_like(chroma)
    for band in resample.bands(chroma):
        rows, windows = slice(band.top, band.end), slice(band.top, band.end + GUIDE_REACH)
        padded_rows = slice(band.top, band.end + 2 * GUIDE_REACH)
        part, luma_part = padded[..., padded_rows, :], luma.padded[..., padded_rows, :]
        mean, luma_mean = _window_mean(part, GUIDE_WINDOW), luma.mean[..., windows, :]
        covariance = _window_mean(luma_part * part, GUIDE_WINDOW).addcmul_(luma_mean, mean, value=-1)
        variance = _window_mean(part * part, GUIDE_WINDOW).addcmul_(mean, mean, value=-1)
        slope = covariance / (luma.variance[..., windows, :] + GUIDE_EPSILON * code_step**2)
        rest = variance.addcmul_(slope, covariance, value=-1).clamp_(min=MIN_REST_VARIANCE * code_step**2)
        kept = (1 - luma.chroma_noise[..., windows, :] / rest).clamp_(min=0)
        predicted = 1 - kept
        offset = (mean - slope * luma_mean).mul_(predicted)
        # The sum of kept * chroma + predicted * (slope * luma + offset), each factor averaged over windows.
        filtered = _window_mean(kept, GUIDE_WINDOW).mul_(plane[..., rows, :])
        filtered.add_(_window_mean(offset, GUIDE_WINDOW))
        filtered.addcmul_(_window_mean(slope.mul_(predicted), GUIDE_WINDOW), luma.plane[..., rows, :])
        torch.add(filtered, origin, out=result[..., rows, :])
    return result


def _origin(plane: Tensor, code_step: float) -> Tensor:
    """Return the first sample, (1, 1, 1, 1), finite and bounded.

    Squares of samples measured from it lose little to rounding, because the others are near.
    """
    largest = LARGEST_ORIGIN * code_step
    return plane[..., :1, :1].nan_to_num(0, 0, 0).clamp_(-largest, largest)


def _padded(plane: Tensor, margin: int) -> Tensor:
    return F.pad(plane, (margin,) * 4, mode="replicate")


def _mean_and_variance(plane: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Return mean and variance of every window, both shaped as by :func:`_window_mean`.

    What may be rounding, far from zero, is part of the variance.
    """
    mean = _window_mean(plane, side)
    variance = _window_mean(plane * plane, side).addcmul_(mean, mean, value=-1).clamp_(min=0)
    return mean, variance.addcmul_(mean, mean, value=VARIANCE_ROUNDING)


def _window_mean(plane: Tensor, side: int) -> Tensor:
    """Return the mean of every window of ``side`` x ``side`` samples, where ``side`` is 2**n + 1.

    Sums of two samples make sums of four, and so on, so that a window takes few additions.

    Args:
        plane: (1, 1, H, W).
        side: side of the windows.

    Returns:
        (1, 1, H - side + 1, W - side + 1).
    """
    for dim in (2, 3):
        total, samples = plane, 1
        while samples < side - 1:
            total = _plus_shifted(total, total, samples, dim)
            samples *= 2
        plane = _plus_shifted(total, plane, samples, dim)
    return plane.mul_(1 / side**2)


def _plus_shifted(one: Tensor, other: Tensor, distance: int, dim: int) -> Tensor:
    """Add to each sample of ``one`` the sample of ``other`` that comes ``distance`` later along ``dim``."""
    length = other.shape[dim] - distance
    return torch.add(one.narrow(dim, 0, length), other.narrow(dim, distance, length))

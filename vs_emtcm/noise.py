"""What surrounds a network that takes noise away: faint detail comes back, and chroma loses its noise too.

Such a network cannot tell faint texture from noise, and it sees luma alone. What it took away, the difference
of a frame and its upscaled luma reduced again, says how much noise there is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vs_emtcm import resample

# Of what was taken away, this much comes back where it is far below FAINT code values of 8 bits; beyond them
# less and less of it does. In a frame without noise, where luma is plain, both are twice that.
PUT_BACK, FAINT = 0.5, 3.0
# The floor of noise of a frame, and the variance of luma, with which half of that is left, in squared code
# values of 8 bits.
QUIET, PLAIN = 0.3, 50.0
# The floor is this quantile of the variances of blocks of so many samples a side, but for those below FLAT
# squared code values of 8 bits: black bars are flat, whatever the noise of the rest.
QUANTILE, BLOCK, FLAT = 0.2, 8, 0.01
# Variance of noise in chroma, in squared code values of 8 bits: this and so many times luma's.
LEAST_NOISE, OF_LUMA = 0.5, 2.0
# Variance of luma that may be noise, where chroma is regressed on it.
UNCERTAIN = 2.0
# Sides of the windows of the regression, and of the measures of luma's noise and of luma itself beside it.
WINDOW, NOISE_WINDOW = 5, 9
# How far a sample of chroma sees: to the end of the windows that it is in.
MARGIN = WINDOW // 2 * 2
# How far it sees what was taken away, whose windows are beyond those.
SEES_NOISE = WINDOW // 2 + NOISE_WINDOW // 2
# How far the result sees what the network made: of all that, interpolated.
REACH = SEES_NOISE + resample.RADIUS
# Of the square of a mean, what a variance in single precision may be off.
ROUNDING = 1e-6


def reduced(upscaled: Tensor, scale: int) -> Tensor:
    """The means of blocks of ``scale`` x ``scale`` samples: (1, 1, H, W) of (1, 1, scale * H, scale * W)."""
    # Nine times as fast as pooling on a CPU.
    for dim in (2, 3):
        first, second, *others = (_every(upscaled, scale, start, dim) for start in range(scale))
        total = first + second
        for other in others:
            total.add_(other)
        upscaled = total
    return upscaled.mul_(1 / scale**2)


def _every(plane: Tensor, step: int, start: int, dim: int) -> Tensor:
    return plane[..., start::step, :] if dim == 2 else plane[..., start::step]


def noise_floor(taken: Tensor, code: float) -> Tensor:
    """The variance of noise that all of a frame has: a low quantile of that of its blocks, 0 if it is flat.

    Args:
        taken: (1, 1, H, W), what the network took away.
        code: one code value of 8 bits, in these code values.

    Returns:
        (1,) squared code values, on the device of ``taken``.
    """
    energy = F.avg_pool2d(taken * taken, BLOCK, ceil_mode=True).flatten()
    # What is no number is left out as well. Nothing waits for a value, and no shape depends on one.
    noisy = energy > FLAT * code**2
    number = noisy.sum(dim=0, keepdim=True)
    place = (QUANTILE * (number - 1).double()).long().clamp_(min=0)
    ordered = energy.masked_fill_(~noisy, torch.inf).sort().values
    return ordered.gather(0, place).masked_fill_(number == 0, 0)


def put_back(
    upscaled: Tensor, before: Tensor, taken: Tensor, floor: Tensor, scale: int, code: float
) -> Tensor:
    """Add some of what the network took away, the more the fainter it is; ``upscaled`` is overwritten.

    Of each difference r it is s PUT_BACK r / (1 + (r / (s FAINT))^2), where s lies between 1 and 2:
    1 + 1 / ((1 + (floor / QUIET)^2) (1 + v / PLAIN)), with v the variance of luma around it. What is taken
    from plain areas of a clean frame is hardly noise.

    Args:
        upscaled: (1, 1, scale * H, scale * W) float32 code values.
        before: (1, 1, H, W), :func:`reduced` ``upscaled``.
        taken: the same, the source less that.
        floor: of its noise, see :func:`noise_floor`.
        scale: upscaling factor.
        code: one code value of 8 bits, in these code values.
    """
    back = torch.empty_like(taken)
    quiet = 1 / (floor / (QUIET * code**2)).square_().add_(1)
    padded = _padded(before - _origin(before, code), NOISE_WINDOW // 2)
    for band in resample.bands(taken):
        within, windows = slice(band.top, band.end), slice(band.top, band.end + NOISE_WINDOW - 1)
        _, variance = _mean_and_variance(padded[..., windows, :], NOISE_WINDOW)
        # Beside what is no number, s is 1.
        strength = (quiet / variance.div_(PLAIN * code**2).add_(1)).nan_to_num_(0).add_(1)
        part = taken[..., within, :]
        faintness = (part / (strength * (FAINT * code))).square_().add_(1)
        torch.div(strength.mul_(part), faintness, out=back[..., within, :])
    return resample.add_upscaled(upscaled, back, scale, factor=PUT_BACK)


@dataclass(frozen=True, kw_only=True)
class CleanLuma:
    """Luma without noise where the samples of chroma lie, and the noise that was in it.

    Attributes:
        plane: (1, 1, H, W) float32 code values, less that of its first sample.
        padded: the plane, edges replicated by twice the radius of the window.
        mean: (1, 1, H + 4, W + 4), over windows of ``padded``.
        variance: the same.
        noise: (1, 1, H + 4, W + 4), the variance of noise that chroma may have.
    """

    plane: Tensor
    padded: Tensor
    mean: Tensor
    variance: Tensor
    noise: Tensor


def clean_luma(clean: Tensor, taken: Tensor, code: float) -> CleanLuma:
    """What the planes of chroma of a frame have in common.

    Args:
        clean: (1, 1, H, W) float32 code values of luma without noise, where the samples of chroma lie.
        taken: its noise.
        code: one code value of 8 bits, in these code values.
    """
    plane = clean - _origin(clean, code)
    padded = _padded(plane, MARGIN)
    mean, variance = _mean_and_variance(padded, WINDOW)
    noise = _mean(_padded(taken * taken, SEES_NOISE), NOISE_WINDOW).mul_(OF_LUMA).add_(LEAST_NOISE * code**2)
    return CleanLuma(plane=plane, padded=padded, mean=mean, variance=variance, noise=noise)


def without_noise(chroma: Tensor, luma: CleanLuma, code: float) -> Tensor:
    """A plane of chroma without its noise, as far as luma and its own variance tell that from detail.

    In every window, chroma is a multiple of luma and a rest (He, Sun and Tang, "Guided image filtering",
    ECCV 2010). Of the rest that share is kept by which its variance exceeds that of noise (Lee, "Digital
    image enhancement and noise filtering by use of local statistics", IEEE PAMI 2(2), 1980). A sample is the
    mean of what all windows make of it.

    Args:
        chroma: (1, 1, H, W) float32 code values, of any offset.
        luma: of the same frame.
        code: one code value of 8 bits, in these code values.
    """
    origin = _origin(chroma, code)
    plane = chroma - origin
    padded = _padded(plane, MARGIN)
    result = torch.empty_like(chroma)
    for band in resample.bands(chroma):
        within, windows = slice(band.top, band.end), slice(band.top, band.end + MARGIN)
        near = slice(band.top, band.end + 2 * MARGIN)
        part, of_luma = padded[..., near, :], luma.padded[..., near, :]
        mean, luma_mean = _mean(part, WINDOW), luma.mean[..., windows, :]
        covariance = _mean(of_luma * part, WINDOW).addcmul_(luma_mean, mean, value=-1)
        variance = _mean(part * part, WINDOW).addcmul_(mean, mean, value=-1)
        slope = covariance / (luma.variance[..., windows, :] + UNCERTAIN * code**2)
        rest = variance.addcmul_(slope, covariance, value=-1).clamp_(min=1e-3 * code**2)
        kept = (1 - luma.noise[..., windows, :] / rest).clamp_(min=0)
        predicted = 1 - kept
        offset = (mean - slope * luma_mean).mul_(predicted)
        rows = _mean(kept, WINDOW).mul_(plane[..., within, :]).add_(_mean(offset, WINDOW))
        rows.addcmul_(_mean(slope.mul_(predicted), WINDOW), luma.plane[..., within, :])
        torch.add(rows, origin, out=result[..., within, :])
    return result


def _origin(plane: Tensor, code: float) -> Tensor:
    """A sample near the others, from which they are measured, so that little is lost to rounding."""
    return plane[..., :1, :1].nan_to_num(0, 0, 0).clamp_(-256 * code, 256 * code)


def _padded(plane: Tensor, margin: int) -> Tensor:
    return F.pad(plane, (margin,) * 4, mode="replicate")


def _mean_and_variance(plane: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Of windows, see :func:`_mean`; far from zero, that much of the variance may be rounding."""
    mean = _mean(plane, side)
    variance = _mean(plane * plane, side).addcmul_(mean, mean, value=-1).clamp_(min=0)
    return mean, variance.addcmul_(mean, mean, value=ROUNDING)


def _mean(plane: Tensor, side: int) -> Tensor:
    """Of windows of ``side`` x ``side`` samples, (1, 1, H - side + 1, W - side + 1); ``side`` is 2**n + 1."""
    for dim in (2, 3):
        total, samples = plane, 1
        while samples < side - 1:
            total = _with_next(total, total, samples, dim)
            samples *= 2
        plane = _with_next(total, plane, samples, dim)
    return plane.mul_(1 / side**2)


def _with_next(one: Tensor, other: Tensor, distance: int, dim: int) -> Tensor:
    """Each sample of ``one`` and that of ``other`` which comes so much later."""
    length = other.shape[dim] - distance
    return torch.add(one.narrow(dim, 0, length), other.narrow(dim, distance, length))

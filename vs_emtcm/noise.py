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
# less and less of it does.
PUT_BACK, FAINT = 0.5, 3.0
# Variance of noise in chroma, in squared code values of 8 bits: this and so many times luma's.
LEAST_NOISE, OF_LUMA = 0.5, 2.0
# Variance of luma that may be noise, where chroma is regressed on it.
UNCERTAIN = 2.0
# Sides of the windows of the regression and of the measure of luma's noise.
WINDOW, NOISE_WINDOW = 5, 9
# How far a sample of the result sees: to the end of the windows that it is in.
MARGIN = WINDOW // 2 * 2
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


def put_back(upscaled: Tensor, taken: Tensor, scale: int, code: float) -> Tensor:
    """Add some of what the network took away, the more the fainter it is; ``upscaled`` is overwritten.

    Args:
        upscaled: (1, 1, scale * H, scale * W) float32 code values.
        taken: (1, 1, H, W), the source less :func:`reduced` ``upscaled``.
        scale: upscaling factor.
        code: one code value of 8 bits, in these code values.
    """
    faint = taken / (taken / (FAINT * code)).square_().add_(1)
    return resample.add_upscaled(upscaled, faint, scale, factor=PUT_BACK)


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
    mean = _mean(padded, WINDOW)
    variance = _mean(padded * padded, WINDOW).addcmul_(mean, mean, value=-1).clamp_(min=0)
    # Far from zero, that much of it may be rounding.
    variance.addcmul_(mean, mean, value=ROUNDING)
    beyond = WINDOW // 2 + NOISE_WINDOW // 2
    noise = _mean(_padded(taken * taken, beyond), NOISE_WINDOW).mul_(OF_LUMA).add_(LEAST_NOISE * code**2)
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

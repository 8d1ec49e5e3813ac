"""The multi-task loss: pixels, luminance, contrast, structure and the distribution of local values."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import torch
from torch import Tensor
from torch.nn import functional as F

Pixel = Literal["charbonnier", "log"]
"""A pixel task: :func:`charbonnier` or :func:`log_error`."""
TaskWeight = Annotated[float, msgspec.Meta(ge=0)]


# Side of the windows of SSIM and of the blocks of histograms, in pixels.
WINDOW = 8
# Number of a histogram's bins.
BINS = 8
# Width of a bin, where 1 is the range of 8-bit code values.
BIN_WIDTH = 12 / 255
# About the mean squared error of rounding to 8 bits; nothing is gained below it.
ROUNDING = 2e-6


class TaskWeights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weight of each task; the pixel task has weight 1.

    Attributes:
        luminance, contrast, structure: the three factors of SSIM (Wang et al., IEEE TIP 13(4), 2004).
        distribution: Kullback-Leibler divergence of local histograms.
    """

    luminance: TaskWeight
    contrast: TaskWeight
    structure: TaskWeight
    distribution: TaskWeight


def charbonnier(result: Tensor, truth: Tensor) -> Tensor:
    """Return the mean of sqrt(d^2 + eps^2), eps = 1/1000 (Charbonnier et al., ICIP 1994)."""
    return torch.sqrt((result - truth).square() + 1e-6).mean()


def log_error(result: Tensor, truth: Tensor) -> Tensor:
    """Return a quarter of the mean over crops of the logarithm of their mean squared errors.

    Times -40 / ln 10 it is the mean PSNR in dB. A benchmark is the mean PSNR of its pictures, in which a
    smooth picture, whose errors are small, counts as much as a busy one. :func:`charbonnier` of a batch is
    mostly the error of its busy crops.

    Args:
        result, truth: (N, 1, H, W) of values in 0..1.
    """
    squared = (result - truth).square().mean(dim=(1, 2, 3))
    return 0.25 * (squared + ROUNDING).log().mean()


def ssim_terms(result: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return one minus the mean of SSIM's luminance, contrast and structure term each.

    Windows are squares of 8x8 pixels that overlap by half.

    Args:
        result, truth: (N, 1, H, W) of values in 0..1.
    """
    c1, c2 = 0.01**2, 0.03**2
    c3 = c2 / 2
    moments = torch.cat((result, truth, result * result, truth * truth, result * truth), dim=1)
    mean_a, mean_b, aa, bb, ab = F.avg_pool2d(moments, WINDOW, WINDOW // 2).unbind(dim=1)
    var_a = (aa - mean_a.square()).clamp_min(1e-8)
    var_b = (bb - mean_b.square()).clamp_min(1e-8)
    covariance = ab - mean_a * mean_b
    deviation = torch.sqrt(var_a * var_b)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1)
    contrast = (2 * deviation + c2) / (var_a + var_b + c2)
    structure = (covariance + c3) / (deviation + c3)
    return 1 - luminance.mean(), 1 - contrast.mean(), 1 - structure.mean()


def local_histograms(picture: Tensor, mean: Tensor) -> Tensor:
    """Return soft histograms of each 8x8 block's deviations from a local mean.

    A value is shared linearly by the two nearest bins.

    Args:
        picture: (N, 1, H, W) of values in 0..1.
        mean: the local mean, of the same shape.

    Returns:
        (N, BINS, H // 8, W // 8), each summing to one over its bins.
    """
    bins = torch.arange(BINS, device=picture.device, dtype=picture.dtype) - (BINS - 1) / 2
    position = ((picture - mean) / BIN_WIDTH).clamp(-(BINS - 1) / 2, (BINS - 1) / 2)
    shares = (1 - (position - bins.view(1, -1, 1, 1)).abs()).clamp_min(0)
    return F.avg_pool2d(shares, WINDOW)


def distribution_divergence(result: Tensor, truth: Tensor) -> Tensor:
    """Return the mean Kullback-Leibler divergence of ``result``'s local histograms from those of ``truth``.

    Args:
        result, truth: (N, 1, H, W) of values in 0..1.
    """
    height, width = (n // WINDOW * WINDOW for n in truth.shape[-2:])
    result, truth = result[..., :height, :width], truth[..., :height, :width]
    mean = F.interpolate(F.avg_pool2d(truth, WINDOW), scale_factor=WINDOW, mode="nearest")
    wanted = local_histograms(truth, mean) + 1e-3
    given = local_histograms(result, mean) + 1e-3
    return (wanted * (wanted.log() - given.log())).sum(dim=1).mean()


def multi_task_loss(
    result: Tensor, truth: Tensor, pixel: Pixel, tasks: TaskWeights, sample: int, unit: float
) -> Tensor:
    """Return the loss of one estimate.

    Args:
        result, truth: (N, 1, H, W) of values in 0..1.
        pixel: the pixel task; its weight is 1.
        tasks: weights of the other tasks.
        sample: number of crops on which the other tasks are computed; they cost more than the network.
        unit: what Charbonnier's error and the other tasks are divided by.

    Returns:
        (2,): the weighted sum of all tasks, and the pixel task alone, without gradient.
    """
    pixels = charbonnier(result, truth) / unit if pixel == "charbonnier" else log_error(result, truth)
    loss = pixels
    result, truth = result[:sample], truth[:sample]
    if tasks.luminance or tasks.contrast or tasks.structure:
        luminance, contrast, structure = ssim_terms(result, truth)
        terms = tasks.luminance * luminance + tasks.contrast * contrast + tasks.structure * structure
        loss = loss + terms / unit
    if tasks.distribution:
        loss = loss + tasks.distribution * distribution_divergence(result, truth) / unit
    return torch.stack((loss, pixels.detach()))

"""PSNR, SSIM and VIF of (H, W) luma in 8-bit code values, as super-resolution papers report them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

Picture = NDArray[np.number]
# Side of SSIM's window in pixels.
SSIM_WINDOW = 11


def _without_border(picture: Picture, border: int) -> NDArray[np.float64]:
    height, width = picture.shape
    kept: NDArray[np.float64] = picture[border : height - border, border : width - border].astype(np.float64)
    return kept


def psnr(result: Picture, truth: Picture, border: int) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite if the pictures are identical.

    The peak is 255; ``border`` pixels on each side are left out.
    """
    difference = _without_border(result, border) - _without_border(truth, border)
    mse = float(np.mean(difference**2))
    return float("inf") if mse == 0 else 10 * float(np.log10(255**2 / mse))


def mean_psnr(values: Sequence[Sequence[float]]) -> tuple[list[float], list[bool]]:
    """Return the mean PSNR in dB of each of several methods, over pictures.

    One infinite PSNR would make a mean infinite. So a picture that a method gives back exactly is left out
    of the means of all methods, which thus stay comparable. If that would leave none, all count.

    Args:
        values: PSNR in dB, a row for each picture, with a value for each method.

    Returns:
        The means, and for each picture whether it is left out.
    """
    table = np.array(values)
    exact = np.isinf(table).any(axis=1)
    if exact.all():
        exact[:] = False
    means: list[float] = table[~exact].mean(axis=0).tolist()
    return means, exact.tolist()


def _gaussian_window(size: int = SSIM_WINDOW, sigma: float = 1.5) -> NDArray[np.float64]:
    x = np.arange(size) - (size - 1) / 2
    window: NDArray[np.float64] = np.exp(-(x**2) / (2 * sigma**2))
    window /= window.sum()
    return window


def _filter_rows(picture: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = picture.shape[0] - len(window) + 1
    result = np.zeros((rows, picture.shape[1]))
    for i, weight in enumerate(window):
        result += weight * picture[i : i + rows]
    return result


def _filter_valid(picture: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    return _filter_rows(_filter_rows(picture, window).T, window).T


def ssim(result: Picture, truth: Picture, border: int) -> float:
    """Return the mean structural similarity (Wang et al., IEEE TIP 13(4), 2004), at most 1.

    An 11x11 Gaussian window of sigma 1.5, "valid" positions only, K1 = 0.01, K2 = 0.03, peak 255. ``border``
    pixels on each side are left out.
    """
    a, b = _without_border(result, border), _without_border(truth, border)
    window = _gaussian_window()
    mean_a, mean_b = _filter_valid(a, window), _filter_valid(b, window)
    var_a = _filter_valid(a * a, window) - mean_a**2
    var_b = _filter_valid(b * b, window) - mean_b**2
    covariance = _filter_valid(a * b, window) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    )
    return float(np.mean(similarity))


def vif(result: Picture, truth: Picture, border: int) -> float:
    """Return the visual information fidelity in the pixel domain (Sheikh and Bovik, IEEE TIP 15(2), 2006).

    It is one of the features of VMAF. ``border`` pixels on each side are left out; at least 41 must remain.
    """
    # A slow import, which only video needs.
    from torchmetrics.functional.image import visual_information_fidelity

    a, b = (torch.from_numpy(_without_border(p, border)).float()[None, None] for p in (result, truth))
    return float(visual_information_fidelity(a, b))

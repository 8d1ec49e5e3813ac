"""MATLAB-compatible bicubic scaling; antialiased downscaling makes the low resolution of every benchmark."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cubic convolution kernel (Keys, IEEE ASSP 29(6), 1981, with a = -0.5) at distances."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


@lru_cache(maxsize=256)
def _downscale_weights(length: int, scale: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the taps of each output of a downscaled row: indices and weights.

    Each is (length // scale, 4 * scale + 2), as in MATLAB's ``imresize``.
    """
    outputs = length // scale
    centre = (np.arange(outputs) + 0.5) * scale - 0.5
    taps = 4 * scale + 2
    index = np.floor(centre - 2 * scale)[:, None].astype(np.intp) + np.arange(taps)
    weights = _cubic((centre[:, None] - index) / scale)
    weights /= weights.sum(axis=1, keepdims=True)
    return _mirrored(index, length), weights


@lru_cache(maxsize=256)
def _upscale_weights(length: int, scale: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the taps of each output of an upscaled row: indices and weights, each (length * scale, 4)."""
    centre = (np.arange(length * scale) + 0.5) / scale - 0.5
    index = np.floor(centre - 1)[:, None].astype(np.intp) + np.arange(4)
    return _mirrored(index, length), _cubic(centre[:, None] - index)


def _mirrored(index: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Mirror indices outside of 0..length - 1 at the edges; the edge itself is repeated."""
    folded = np.mod(index, 2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)


def _combine_rows(
    picture: NDArray[np.float64], index: NDArray[np.intp], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return weighted sums of a picture's rows: one row for each row of ``index`` and ``weights``."""
    result = np.zeros((len(index), picture.shape[1]))
    for tap in range(index.shape[1]):
        result += weights[:, tap, None] * picture[index[:, tap]]
    return result


def downscale(picture: NDArray[np.number], scale: int) -> NDArray[np.float64]:
    """Reduce a picture by an integer factor, like MATLAB's ``imresize(picture, 1 / scale)``.

    Args:
        picture: (H, W), both multiples of ``scale``, any real dtype.
        scale: the factor, at least 2.

    Returns:
        float64 of shape (H / scale, W / scale), neither rounded nor clamped.

    Raises:
        ValueError: a side is not a multiple of ``scale``.
    """
    if picture.shape[0] % scale or picture.shape[1] % scale:
        raise ValueError(f"a picture of {picture.shape} is not a multiple of {scale}; crop it first")
    height, width = picture.shape
    rows = _combine_rows(picture.astype(np.float64), *_downscale_weights(height, scale))
    return _combine_rows(rows.T, *_downscale_weights(width, scale)).T


def downscale_8bit(picture: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Reduce an 8-bit picture by an integer factor and round after each axis.

    This is how MATLAB's ``imresize`` treats integers (``resizeAlongDim``). For shapes see :func:`downscale`.
    """
    height, width = picture.shape
    rows = to_8bit(_combine_rows(picture.astype(np.float64), *_downscale_weights(height, scale)))
    return to_8bit(_combine_rows(rows.T.astype(np.float64), *_downscale_weights(width, scale)).T)


def upscale(picture: NDArray[np.number], scale: int) -> NDArray[np.float64]:
    """Enlarge a picture by an integer factor, like MATLAB's ``imresize(picture, scale)``.

    Args:
        picture: (H, W), any real dtype.
        scale: the factor.

    Returns:
        float64 of shape (scale * H, scale * W), neither rounded nor clamped.
    """
    height, width = picture.shape
    rows = _combine_rows(picture.astype(np.float64), *_upscale_weights(height, scale))
    return _combine_rows(rows.T, *_upscale_weights(width, scale)).T


def to_8bit(picture: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Round half up and clamp to 0..255, as MATLAB does for uint8."""
    return np.clip(np.floor(picture + 0.5), 0, 255).astype(np.uint8)

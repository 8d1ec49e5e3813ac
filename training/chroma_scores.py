"""Scores of chroma: pictures are reduced, turned into 4:2:0, upscaled, and compared with their own 4:2:0."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.codec import Yuv, encode_and_decode_yuv
from training.imresize import downscale, to_8bit
from training.metrics import mean_psnr
from training.picture_scores import picture_sets
from training.pictures import PictureError, find_pictures, read_rgb
from vs_emtcm import Color, PixelFormat, Upscaler
from vs_emtcm.chroma import chroma_shift, luma_at_chroma
from vs_emtcm.formats import LUMA_WEIGHTS
from vs_emtcm.resample import upscale

FORMAT = PixelFormat(family="yuv", subsampling=(1, 1))
COLOR = Color()
# Width of the border that does not count, in chroma samples of low resolution.
BORDER = 4


@dataclass(frozen=True, kw_only=True)
class ChromaScore:
    """The mean scores of one set, over its pictures; U and V count as one picture.

    Attributes:
        name: of the set.
        scale: 2, 3 or 4.
        crf: of x264, by which the reduced pictures were compressed; None if they were not.
        spline36, ours: PSNR in dB, without the pictures of ``exact``; infinite if none is left.
        pictures: how many.
        exact: names of the pictures that came out identical, see :func:`training.metrics.mean_psnr`.
    """

    name: str
    scale: int
    crf: int | None
    spline36: float
    ours: float
    pictures: int
    exact: tuple[str, ...] = ()


def evaluate_chroma(folder: Path, upscaler: Upscaler, crf: int | None) -> list[ChromaScore]:
    """Score the chroma of every set of a folder, beside Spline36.

    Pictures are reduced by MATLAB's bicubic, then turned into 8-bit BT.709 4:2:0 with chroma sited left. Grey
    pictures do not count.

    Args:
        folder: pictures, or one folder for each set.
        upscaler: what upscales them.
        crf: of x264; None does not compress them.

    Raises:
        PictureError: there is no picture in colour, or one cannot be read or is too small.
    """
    scores = []
    for name, path in picture_sets(folder).items():
        found = {name: _psnr(rgb, upscaler, crf) for name, rgb in _coloured(path, 4 * upscaler.scale)}
        if not found:
            raise PictureError(f"{path} holds no picture in colour")
        (spline36, ours), left_out = mean_psnr(list(found.values()))
        scores.append(
            ChromaScore(
                name=name,
                scale=upscaler.scale,
                crf=crf,
                spline36=spline36,
                ours=ours,
                pictures=len(found),
                exact=tuple(picture for picture, out in zip(found, left_out, strict=True) if out),
            )
        )
    return scores


def _coloured(folder: Path, unit: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Read the names of pictures in colour, and them as (H, W, 3) RGB cropped to multiples of ``unit``."""
    for path in find_pictures(folder):
        rgb = read_rgb(path)
        height, width = (n // unit * unit for n in rgb.shape[:2])
        smallest = (BORDER + 1) * unit
        if min(height, width) < smallest:
            raise PictureError(
                f"{path} is {rgb.shape[1]}x{rgb.shape[0]}; scores of chroma need sides of at least {smallest}"
            )
        if (rgb != rgb[..., :1]).any():
            yield str(path.relative_to(folder)), rgb[:height, :width]


def _psnr(rgb: NDArray[np.uint8], upscaler: Upscaler, crf: int | None) -> tuple[float, float]:
    """Return the PSNR in dB over both chroma planes, by Spline36 and by the upscaler."""
    scale = upscaler.scale
    low = to_yuv(np.stack([to_8bit(downscale(rgb[..., i], scale)) for i in range(3)], axis=-1))
    if crf is not None:
        (low,) = encode_and_decode_yuv([low], "libx264", crf)
    _, *truth = to_yuv(rgb)
    _, *ours = upscaler.upscale(low, FORMAT, COLOR)
    shift = chroma_shift(FORMAT.subsampling, COLOR.chroma_location)
    interpolated = (upscale(torch.from_numpy(plane).float()[None, None], scale, shift) for plane in low[1:])
    spline36 = [to_8bit(plane[0, 0].double().numpy()) for plane in interpolated]
    inside = (slice(BORDER * scale, -BORDER * scale),) * 2
    spline36_error, our_error = (
        float(
            np.mean(
                [(a[inside] - b[inside].astype(np.float64)) ** 2 for a, b in zip(planes, truth, strict=True)]
            )
        )
        for planes in (spline36, ours)
    )
    return _decibels(spline36_error), _decibels(our_error)


def _decibels(mean_square: float) -> float:
    return math.inf if mean_square == 0 else 10 * math.log10(255**2 / mean_square)


def to_yuv(rgb: NDArray[np.uint8]) -> Yuv:
    """Convert full-range RGB to limited-range BT.709 4:2:0 with chroma sited left, all uint8.

    Args:
        rgb: (H, W, 3), H and W even.

    Returns:
        Y (H, W), U and V (H / 2, W / 2).
    """
    red, green, blue = (rgb[..., i] / 255.0 for i in range(3))
    red_weight, blue_weight = LUMA_WEIGHTS["bt709"]
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    planes = (
        16 + 219 * luma,
        *(
            128 + 112 * (colour - luma) / (1 - weight)
            for colour, weight in ((blue, blue_weight), (red, red_weight))
        ),
    )
    y, u, v = planes
    return to_8bit(y), _subsampled(u), _subsampled(v)


def _subsampled(plane: NDArray[np.float64]) -> NDArray[np.uint8]:
    reduced = luma_at_chroma(torch.from_numpy(plane)[None, None], FORMAT.subsampling, COLOR.chroma_location)
    return to_8bit(reduced[0, 0].numpy())

"""Scores of chroma: reduced pictures in 4:2:0, upscaled, beside the pictures themselves in 4:2:0."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.codec import Yuv, encode_and_decode_yuv
from training.evaluate import picture_sets
from training.imresize import downscale, to_8bit
from training.pictures import PictureError, find_pictures, read_rgb
from vs_emtcm import Color, PixelFormat, Upscaler
from vs_emtcm.chroma import chroma_shift, luma_at_chroma
from vs_emtcm.formats import LUMA_WEIGHTS
from vs_emtcm.resample import upscale

FORMAT = PixelFormat(family="yuv", subsampling=(1, 1))
COLOR = Color()
# Chroma samples at each edge that do not count, times the scale.
BORDER = 4


@dataclass(frozen=True, kw_only=True)
class ChromaScore:
    """Means over the pictures of a set and both planes.

    Attributes:
        name: the set.
        scale: 2, 3 or 4.
        crf: of x264, by which the reduced pictures were compressed, or None.
        spline36, ours: PSNR in dB.
        pictures: how many.
    """

    name: str
    scale: int
    crf: int | None
    spline36: float
    ours: float
    pictures: int


def evaluate_chroma(folder: Path, upscaler: Upscaler, crf: int | None) -> list[ChromaScore]:
    """Every set of ``folder``: reduced by MATLAB's bicubic, then BT.709 in 4:2:0 of 8 bits, sited left.

    Grey pictures do not count.

    Args:
        folder: pictures, or one folder for each set.
        upscaler: what upscales them.
        crf: of x264; None does not compress them.

    Raises:
        PictureError: there is no picture, or one cannot be read.
    """
    scores = []
    for name, path in picture_sets(folder).items():
        found = [_psnr(rgb, upscaler, crf) for rgb in _coloured(path, 4 * upscaler.scale)]
        if not found:
            raise PictureError(f"{path} holds no picture in colour")
        spline36, ours = np.mean(found, axis=0)
        scores.append(
            ChromaScore(
                name=name,
                scale=upscaler.scale,
                crf=crf,
                spline36=float(spline36),
                ours=float(ours),
                pictures=len(found),
            )
        )
    return scores


def _coloured(folder: Path, unit: int) -> Iterator[NDArray[np.uint8]]:
    for path in find_pictures(folder):
        rgb = read_rgb(path)
        height, width = (n // unit * unit for n in rgb.shape[:2])
        smallest = (BORDER + 1) * unit
        if min(height, width) < smallest:
            raise PictureError(
                f"{path} is {rgb.shape[1]}x{rgb.shape[0]}; scores of chroma need sides of at least {smallest}"
            )
        if (rgb != rgb[..., :1]).any():
            yield rgb[:height, :width]


def _psnr(rgb: NDArray[np.uint8], upscaler: Upscaler, crf: int | None) -> tuple[float, float]:
    """Of both planes together, by Spline36 and by the upscaler."""
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
    of_spline36, of_ours = (
        np.mean([(a[inside] - b[inside].astype(np.float64)) ** 2 for a, b in zip(planes, truth, strict=True)])
        for planes in (spline36, ours)
    )
    return 10 * math.log10(255**2 / of_spline36), 10 * math.log10(255**2 / of_ours)


def to_yuv(rgb: NDArray[np.uint8]) -> Yuv:
    """Full-range RGB (H, W, 3) as BT.709 4:2:0 of limited range, sited left, H and W even."""
    red, green, blue = (rgb[..., i] / 255.0 for i in range(3))
    of_red, of_blue = LUMA_WEIGHTS["bt709"]
    luma = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    planes = (
        16 + 219 * luma,
        *(128 + 112 * (colour - luma) / (1 - weight) for colour, weight in ((blue, of_blue), (red, of_red))),
    )
    y, u, v = planes
    return to_8bit(y), _halved(u), _halved(v)


def _halved(plane: NDArray[np.float64]) -> NDArray[np.uint8]:
    reduced = luma_at_chroma(torch.from_numpy(plane)[None, None], FORMAT.subsampling, COLOR.chroma_location)
    return to_8bit(reduced[0, 0].numpy())

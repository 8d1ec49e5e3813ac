"""Scores of a model beside plain interpolation: on pictures by the papers' protocol, and on video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from training.cache import Plane
from training.codec import encode_and_decode
from training.imresize import downscale, to_8bit, upscale
from training.metrics import psnr, ssim
from training.pictures import PictureError, find_pictures, read_luma
from vs_emtcm.planes import PixelFormat
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.video.frames import frame_planes

GRAY = PixelFormat(family="gray")
YUV420 = PixelFormat(family="yuv", subsampling=(1, 1))
Method = Callable[[Plane], Plane]


@dataclass(frozen=True, kw_only=True)
class Score:
    """Means over a set.

    Attributes:
        name: the set or clip.
        method: what upscaled it.
        psnr: in dB.
        ssim: 0..1.
        pictures: how many.
    """

    name: str
    method: str
    psnr: float
    ssim: float
    pictures: int


def picture_sets(folder: Path) -> Mapping[str, Path]:
    """The sets of a data folder: its sub-folders, or the folder itself if it holds pictures.

    Raises:
        PictureError: the folder does not exist.
    """
    if not folder.is_dir():
        raise PictureError(f"{folder} is not a folder; give a folder of pictures")
    inner = {p.name: p for p in sorted(folder.iterdir()) if p.is_dir()}
    return inner or {folder.name: folder}


def _methods(model: str, upscaler: Upscaler) -> Mapping[str, Method]:
    scale = upscaler.scale

    def network(low: Plane) -> Plane:
        return upscaler.upscale([low], GRAY)[0].astype(np.uint8)

    def pillow(resampling: Image.Resampling) -> Method:
        def resize(low: Plane) -> Plane:
            size = low.shape[1] * scale, low.shape[0] * scale
            return np.asarray(Image.fromarray(low).resize(size, resampling))

        return resize

    return {
        "bicubic": lambda low: to_8bit(upscale(low, scale)),
        "lanczos": pillow(Image.Resampling.LANCZOS),
        model: network,
    }


def _score(name: str, pairs: Iterator[tuple[Plane, Plane]], methods: Mapping[str, Method]) -> list[Score]:
    values: dict[str, list[tuple[float, float]]] = {method: [] for method in methods}
    for low, high in pairs:
        border = high.shape[0] // low.shape[0]
        for method, run in methods.items():
            result = run(low)
            values[method].append((psnr(result, high, border), ssim(result, high, border)))
    return [
        Score(
            name=name,
            method=method,
            psnr=float(np.mean([p for p, _ in scores])),
            ssim=float(np.mean([s for _, s in scores])),
            pictures=len(scores),
        )
        for method, scores in values.items()
    ]


def evaluate_pictures(folder: Path, model: str, upscaler: Upscaler) -> list[Score]:
    """Every set of ``folder`` by the field's protocol.

    High resolution is cropped to a multiple of the scale and turned into 8-bit BT.601 luma; low
    resolution is its MATLAB bicubic reduction, rounded to 8 bits; ``scale`` pixels of border do not
    count.

    Raises:
        PictureError: there is no picture, or one cannot be read.
    """
    methods = _methods(model, upscaler)
    return [
        score
        for name, path in picture_sets(folder).items()
        for score in _score(name, _picture_pairs(path, upscaler.scale), methods)
    ]


def _picture_pairs(folder: Path, scale: int) -> Iterator[tuple[Plane, Plane]]:
    for path in find_pictures(folder):
        luma = read_luma(path)
        height, width = (n // scale * scale for n in luma.shape)
        high = luma[:height, :width]
        yield to_8bit(downscale(high, scale)), high


def evaluate_video(clip: Path, crf: int, frames: int, model: str, upscaler: Upscaler) -> list[Score]:
    """A clip reduced, encoded with x264 at ``crf``, decoded, upscaled and compared with itself.

    Args:
        clip: a video without visible compression; its luma is used.
        crf: constant rate factor.
        frames: how many, from the start.
        model: what to call the network's result.
        upscaler: the network.
    """
    unit = 2 * upscaler.scale
    highs: list[Plane] = []
    with av.open(str(clip), "r") as container:
        for frame in container.decode(video=0):
            # The Y plane itself: FFmpeg would stretch limited range on the way to its grey format.
            luma = frame_planes(frame.reformat(format="yuv420p"), YUV420)[0].astype(np.uint8)
            height, width = (n // unit * unit for n in luma.shape)
            highs.append(luma[:height, :width])
            if len(highs) == frames:
                break
    lows = encode_and_decode([to_8bit(downscale(h, upscaler.scale)) for h in highs], "libx264", crf)
    return _score(f"{clip.name} crf {crf}", zip(lows, highs, strict=True), _methods(model, upscaler))

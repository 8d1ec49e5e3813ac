"""Scores of upscaling methods: on pictures by the papers' protocol, and on compressed video."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open

from training.cache import Plane
from training.codec import encode_and_decode
from training.imresize import downscale, downscale_8bit, to_8bit, upscale
from training.metrics import SSIM_WINDOW, psnr, ssim, vif
from training.pictures import (
    PictureError,
    each_picture,
    find_pictures,
    is_picture,
    luma_of_rgb,
    read_luma,
    read_rgb,
)
from vs_emtcm.errors import UsageError, reason
from vs_emtcm.formats import PixelFormat
from vs_emtcm.models import SCALES, SHIPPED
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.video.frames import av_planes

# Its values 0..1 are codes 16 to 235 of 8 bits: luma need not be rounded to go in.
GRAY = PixelFormat(family="gray", bits=32, sample_type="float")
YUV420 = PixelFormat(family="yuv", subsampling=(1, 1))
Luma = NDArray[np.float64]
"""8-bit studio-range code values, not necessarily whole: (H, W)."""
Method = Callable[[Luma], Plane]
"""From low resolution to high resolution, rounded to 8 bits."""
Reduction = Literal["luma", "rgb"]
# Of clips, whose VIF is taken at four sizes.
SMALLEST_CLIP = 64
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)


@dataclass(frozen=True, kw_only=True)
class Score:
    """Means over a set.

    Attributes:
        name: the set or clip.
        scale: 2, 3 or 4.
        method: what upscaled it.
        reduction: "luma" or "rgb", see :func:`evaluate_pictures`; of video always "luma".
        psnr: in dB.
        ssim: 0..1.
        vif: visual information fidelity, 0..1 and above for sharpened pictures; of video only.
        pictures: how many.
    """

    name: str
    scale: int
    method: str
    reduction: Reduction = "luma"
    psnr: float
    ssim: float
    vif: float | None = None
    pictures: int


def picture_sets(folder: Path) -> Mapping[str, Path]:
    """The sets of a data folder: its sub-folders, and the folder itself if it holds pictures.

    Raises:
        PictureError: the folder does not exist or holds neither.
    """
    if not folder.is_dir():
        raise PictureError(f"{folder} is not a folder; give a folder of pictures")
    sets = {p.name: p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")}
    if not sets:
        return {folder.name: folder}
    loose = [p.name for p in folder.iterdir() if is_picture(p)]
    if loose:
        raise PictureError(
            f"{folder} holds both folders and pictures ({loose[0]}, ...); give one folder per set"
        )
    return sets


def networks(names: Iterable[str], scale: int) -> Mapping[str, Method]:
    """Networks as methods.

    Args:
        names: ``base-clean/2`` is two stages of the shipped model "base" tuned for "clean";
            ``weights.safetensors/1`` is one stage of a weights file.
        scale: 2, 3 or 4.

    Raises:
        UsageError: there is no such model.
    """
    return {name: _network(name, scale) for name in names}


def shipped_networks() -> list[str]:
    """Both stages of every shipped model."""
    return [f"{model.name}-{model.tune}/{stages}" for model in SHIPPED for stages in (1, 2)]


def held_scales(names: Iterable[str]) -> tuple[int, ...]:
    """The scales that all of these networks have; see :func:`networks`.

    Raises:
        UsageError: there is none, or a file is no weights file.
    """
    held = set(SCALES)
    for name in names:
        path = name.rpartition("/")[0]
        if not path.endswith(".safetensors"):
            continue
        try:
            with safe_open(path, framework="numpy") as file:
                held &= set(json.loads((file.metadata() or {})["scales"]))
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise UsageError(f"{path} cannot be read as a weights file: {reason(error)}") from error
    if not held:
        raise UsageError("the networks have no scale in common; score them one by one")
    return tuple(sorted(held))


def _network(name: str, scale: int) -> Method:
    model, _, stages = name.rpartition("/")
    if stages not in ("1", "2"):
        raise UsageError(
            f"network is {name!r}; give a model and its stages, such as base-clean/2 or FILE.safetensors/1"
        )
    size, _, tune = model.rpartition("-")
    if model.endswith(".safetensors"):
        size, tune = model, "clean"
    upscaler = Upscaler(scale, model=size, tune=tune, stages=int(stages))

    def run(low: Luma) -> Plane:
        nominal = ((low - 16) / 219).astype(np.float32)
        return to_8bit(upscaler.upscale([nominal], GRAY)[0].astype(np.float64) * 219 + 16)

    return run


def interpolations(scale: int) -> Mapping[str, Method]:
    """Bicubic, as MATLAB, and Lanczos with three lobes, as Pillow."""

    def lanczos(low: Luma) -> Plane:
        size = low.shape[1] * scale, low.shape[0] * scale
        picture = Image.fromarray(low.astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
        return to_8bit(np.asarray(picture, np.float64))

    return {"bicubic": lambda low: to_8bit(upscale(low, scale)), "lanczos": lanczos}


def fsrcnn(weights: Path, scale: int) -> Method:
    """FSRCNN as OpenCV's ``dnn_superres`` runs it.

    Args:
        weights: a TensorFlow graph for this scale.
        scale: 2, 3 or 4.

    Raises:
        PictureError: OpenCV with its contributed modules is not installed, or the file cannot be read.
    """
    try:
        from cv2 import dnn_superres
    except ImportError as error:
        raise PictureError(
            "FSRCNN needs OpenCV's contributed modules; run 'pip install opencv-contrib-python-headless'"
        ) from error
    if not weights.is_file():
        raise PictureError(f"{weights} is not a file; give FSRCNN's graph for x{scale}")
    network = dnn_superres.DnnSuperResImpl.create()
    network.readModel(str(weights))
    network.setModel("fsrcnn", scale)
    return lambda low: np.asarray(network.upsample(to_8bit(low)), np.uint8)


def _scores(
    name: str,
    scale: int,
    pairs: Iterable[tuple[Luma, NDArray[np.number]]],
    methods: Mapping[str, Method],
    reduction: Reduction,
    with_vif: bool,
) -> list[Score]:
    values: dict[str, list[tuple[float, float, float]]] = {method: [] for method in methods}
    for low, high in pairs:
        for method, run in methods.items():
            result = run(low)
            fidelity = vif(result, high, scale) if with_vif else 0.0
            values[method].append((psnr(result, high, scale), ssim(result, high, scale), fidelity))
    means = {method: [float(m) for m in np.mean(rows, axis=0)] for method, rows in values.items()}
    return [
        Score(
            name=name,
            scale=scale,
            method=method,
            reduction=reduction,
            psnr=mean[0],
            ssim=mean[1],
            vif=mean[2] if with_vif else None,
            pictures=len(values[method]),
        )
        for method, mean in means.items()
    ]


def check_sets(folder: Path, scales: Iterable[int]) -> None:
    """See to it that every picture of every set can be scored at all scales.

    Raises:
        PictureError: some cannot, the message names all; or a set holds none.
    """

    def check(path: Path) -> None:
        picture = read_rgb(path)
        for scale in scales:
            _cropped(picture, scale, path, SSIM_WINDOW + 2 * scale)

    paths = [path for own in picture_sets(folder).values() for path in find_pictures(own)]
    for _ in each_picture(paths, check):
        pass


def evaluate_pictures(
    folder: Path, scale: int, methods: Mapping[str, Method], reduction: Reduction
) -> list[Score]:
    """Every set of ``folder`` by the field's protocol, of which there are two.

    High resolution is cropped to a multiple of the scale; low resolution is its MATLAB bicubic reduction,
    rounded to 8 bits; ``scale`` pixels of border do not count.

    Args:
        folder: pictures, or one folder for each set.
        scale: 2, 3 or 4.
        methods: what upscales them.
        reduction: "luma": the picture is turned into luma, rounded to 8 bits, then reduced. "rgb": its
            three colours are reduced, then the luma of both is taken, not rounded.

    Raises:
        PictureError: there is no picture, or one cannot be read.
    """
    pairs = {"luma": _luma_pair, "rgb": _rgb_pair}[reduction]
    return [
        score
        for name, path in picture_sets(folder).items()
        for score in _scores(
            name, scale, (pairs(p, scale) for p in find_pictures(path)), methods, reduction, with_vif=False
        )
    ]


def _luma_pair(path: Path, scale: int) -> tuple[Luma, Luma]:
    high = _cropped(read_luma(path), scale, path, SSIM_WINDOW + 2 * scale)
    return to_8bit(downscale(high, scale)).astype(np.float64), high.astype(np.float64)


def _rgb_pair(path: Path, scale: int) -> tuple[Luma, Luma]:
    high = _cropped(read_rgb(path), scale, path, SSIM_WINDOW + 2 * scale)
    low = [downscale_8bit(high[..., colour], scale) for colour in range(3)]
    return luma_of_rgb(np.stack(low, axis=-1)), luma_of_rgb(high)


def _cropped(picture: Plane, unit: int, source: Path, smallest: int) -> Plane:
    height, width = (n // unit * unit for n in picture.shape[:2])
    if min(height, width) < smallest:
        raise PictureError(f"{source} is {width}x{height}; scores need sides of at least {smallest} pixels")
    return picture[:height, :width]


def read_clip(clip: Path, frames: int, unit: int) -> list[Plane]:
    """Luma of a clip's first frames, cropped to multiples of ``unit``.

    Raises:
        PictureError: the clip is missing, is no video or has no frame.
    """
    lumas: list[Plane] = []
    try:
        with av.open(str(clip), "r") as container:
            if not container.streams.video:
                raise PictureError(f"{clip} has no video stream; give a video file")
            for frame in container.decode(video=0):
                # The Y plane itself: FFmpeg would stretch limited range on the way to its grey format.
                luma = av_planes(frame.reformat(format="yuv420p"), YUV420)[0].astype(np.uint8)
                lumas.append(_cropped(luma, unit, clip, SMALLEST_CLIP))
                if len(lumas) == frames:
                    break
    except (OSError, av.FFmpegError) as error:
        raise PictureError(f"{clip} cannot be read as a video: {reason(error)}") from error
    if not lumas:
        raise PictureError(f"{clip} has no frame; give a whole video")
    return lumas


def evaluate_video(
    clip: Path, scale: int, crf: int, frames: int, methods: Mapping[str, Method], noise: float = 0.0
) -> list[Score]:
    """A clip reduced, noisy, encoded with x264 at ``crf``, decoded, upscaled and compared with itself.

    Args:
        clip: a video without visible compression; its luma is used.
        scale: 2, 3 or 4.
        crf: constant rate factor.
        frames: how many, from the start.
        methods: what upscales it.
        noise: Gaussian sigma in 8-bit code values, the same noise each time.

    Raises:
        PictureError: the clip is missing, is no video or has no frame.
    """
    rng = np.random.default_rng(0)
    highs = read_clip(clip, frames, 2 * scale)
    reduced = (downscale(high, scale) for high in highs)
    noisy = [to_8bit(low + noise * rng.standard_normal(low.shape)) for low in reduced]
    lows = encode_and_decode(noisy, "libx264", crf)
    pairs = ((low.astype(np.float64), high) for low, high in zip(lows, highs, strict=True))
    grain = f" noise {noise:g}" if noise else ""
    return _scores(f"{clip.name}{grain} CRF {crf}", scale, pairs, methods, "luma", with_vif=True)

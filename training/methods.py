"""The upscaling methods that are compared: EMTCM's networks, interpolations and FSRCNN."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open

from training.files import read_model
from training.imresize import to_8bit, upscale
from training.pairs import Plane
from training.pictures import PictureError
from vs_emtcm.errors import UsageError, reason
from vs_emtcm.formats import PixelFormat
from vs_emtcm.models import SCALES, SHIPPED
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.weights_file import TUNES

# Values 0..1 of this format are codes 16 to 235 of 8 bits: luma need not be rounded to go in.
GRAY = PixelFormat(family="gray", bits=32, sample_type="float")
Luma = NDArray[np.float64]
"""8-bit studio-range code values, not necessarily whole: (H, W)."""
Method = Callable[[Luma], Plane]
"""From (H, W) low resolution to (scale*H, scale*W) high resolution, rounded to 8 bits."""


def networks(names: Iterable[str], scale: int) -> Mapping[str, Method]:
    """Return networks as methods, by name.

    Args:
        names: ``base-clean/2`` is two stages of the shipped model "base" tuned for "clean";
            ``weights.safetensors/1`` is one stage of a weights file.
        scale: 2, 3 or 4.

    Raises:
        UsageError: there is no such model.
    """
    return {name: _network(name, scale) for name in names}


def shipped_networks() -> list[str]:
    """Return the names of both stages of every shipped model; see :func:`networks`."""
    return [f"{model.name}-{model.tune}/{stages}" for model in SHIPPED for stages in (1, 2)]


def held_scales(names: Iterable[str]) -> tuple[int, ...]:
    """Return the scales that all of these networks have; for the names see :func:`networks`.

    Raises:
        UsageError: there is none, or a file is no weights file.
    """
    held = set(SCALES)
    for name in names:
        path = name.rpartition("/")[0]
        if not path.endswith(".safetensors"):
            continue
        if Path(path).is_dir():
            raise UsageError(f"{path} is a folder; give a weights file")
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
    is_file = model.endswith(".safetensors")
    size, _, tune = model.rpartition("-")
    if stages not in ("1", "2") or not (is_file or tune in TUNES):
        raise UsageError(
            f"network is {name!r}; give a model and its stages, such as base-clean/2 or FILE.safetensors/1"
        )
    if is_file:
        read_model(Path(model), scale)
        size, tune = model, "clean"
    upscaler = Upscaler(scale, model=size, tune=tune, stages=int(stages))

    def run(low: Luma) -> Plane:
        nominal = ((low - 16) / 219).astype(np.float32)
        return to_8bit(upscaler.upscale([nominal], GRAY)[0].astype(np.float64) * 219 + 16)

    return run


def interpolations(scale: int) -> Mapping[str, Method]:
    """Return "bicubic", as MATLAB interpolates, and "lanczos", as Pillow does with three lobes."""

    def lanczos(low: Luma) -> Plane:
        size = low.shape[1] * scale, low.shape[0] * scale
        picture = Image.fromarray(low.astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
        return to_8bit(np.asarray(picture, np.float64))

    return {"bicubic": lambda low: to_8bit(upscale(low, scale)), "lanczos": lanczos}


def fsrcnn(weights: Path, scale: int) -> Method:
    """Return FSRCNN as OpenCV's ``dnn_superres`` runs it.

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

"""The shipped models: names, what each is for, checked loading."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vs_emtcm.errors import UsageError
from vs_emtcm.shape import Shape
from vs_emtcm.whole import is_whole

FORMAT = "emtcm-1"
SCALES = (2, 3, 4)
TUNES = ("video", "clean")


@dataclass(frozen=True, kw_only=True)
class Model:
    """A shipped weights file.

    Attributes:
        name: size of the network.
        tune: the kind of source it was trained for.
        purpose: one line for users.
    """

    name: str
    tune: str
    purpose: str

    @property
    def path(self) -> Path:
        """The weights file."""
        return Path(__file__).parent / "weights" / f"{self.name}-{self.tune}.safetensors"


SHIPPED = (
    Model(
        name="base",
        tune="video",
        purpose="compressed, slightly noisy or blurred sources: nearly every video file",
    ),
    Model(
        name="base",
        tune="clean",
        purpose="sharp, uncompressed sources: renders, lossless captures, benchmarks of papers",
    ),
    Model(
        name="large",
        tune="video",
        purpose="as base, four times the work for a little more detail",
    ),
    Model(
        name="large",
        tune="clean",
        purpose="as base, four times the work for a little more detail",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The weights of one scale.

    Attributes:
        scale: 2, 3 or 4.
        shape: the size of the network.
        tune: the kind of source that it was trained for, "video" or "clean".
        tensors: state dict of :class:`vs_emtcm.network.Network`, float32.
    """

    scale: int
    shape: Shape
    tune: str
    tensors: Mapping[str, NDArray[np.float32]]


def find(name: str, tune: str) -> Model:
    """The shipped model of this name and tune.

    Raises:
        UsageError: there is none.
    """
    for model in SHIPPED:
        if (model.name, model.tune) == (name, tune):
            return model
    accepted = ", ".join(f"{m.name}/{m.tune}" for m in SHIPPED)
    raise UsageError(
        f"model {name!r} with tune {tune!r} does not exist; available are {accepted}, and .safetensors files"
    )


def load(path: Path, scale: int) -> Weights:
    """Read the weights of one scale from a weights file.

    In the file, tensors named ``shared/...`` belong to every scale and ``x2/...`` to one.

    Raises:
        UsageError: the file is missing, damaged, of another kind or for an unknown tune, or lacks the scale.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise UsageError(f"{path} is not an EMTCM weights file; expected format {FORMAT}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, TypeError, SafetensorError) as error:
        # TypeError: of numbers that numpy does not have, such as bfloat16.
        raise UsageError(f"{path} cannot be read as a weights file: {error}") from error
    for name, tensor in tensors.items():
        # bfloat16 is no number to numpy, whether or not something has taught it the name.
        if tensor.dtype.kind != "f":
            raise UsageError(f"{path} cannot be read as a weights file: {name} is of {tensor.dtype}")
    try:
        scales = [int(number) for number in json.loads(metadata["scales"])]
        shape = Shape.from_metadata(metadata)
        tune = metadata["tune"]
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UsageError(f"{path} is a damaged weights file: its description is not whole") from error
    if tune not in TUNES:
        raise UsageError(
            f"{path} is for the tune {tune!r}; accepted are {' and '.join(TUNES)}; give another file"
        )
    if scale not in scales:
        accepted = ", ".join(map(str, scales))
        raise UsageError(f"scale {scale} is not in {path.name}; accepted are {accepted}")
    own = {
        name.partition("/")[2]: tensor
        for name, tensor in tensors.items()
        if name.startswith(("shared/", f"x{scale}/"))
    }
    return Weights(scale=scale, shape=shape, tune=tune, tensors=own)


def fingerprint(weights: Weights) -> str:
    """A short name for these weights; others have another one."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()[:16]


def resolve(model: str | os.PathLike[str], tune: str) -> Path:
    """The weights file of a shipped model, or ``model`` itself if it names a file.

    Raises:
        UsageError: there is no such model or tune.
    """
    if tune not in TUNES:
        raise UsageError(f"tune is {tune!r}; accepted are {' and '.join(TUNES)}")
    return weights_file(model) or find(str(model), tune).path


def weights_file(model: str | os.PathLike[str]) -> Path | None:
    """The file that ``model`` names, or None if it is the name of a model."""
    # vspipe works in the folder of its script, so that many give a path from their own folder.
    path = Path(os.path.expanduser(model)) if isinstance(model, str | os.PathLike) else None  # noqa: PTH111
    return path if path is not None and path.suffix == ".safetensors" else None


def check_stages(stages: int) -> None:
    """Refuse a number of stages that no model has.

    Raises:
        UsageError: ``stages`` is not 1 or 2.
    """
    if not is_whole(stages) or stages not in (1, 2):
        raise UsageError(f"stages is {stages!r}; accepted are 1 (faster) and 2 (better)")


def check_scale(scale: int) -> None:
    """Refuse a scale that no model has.

    Raises:
        UsageError: ``scale`` is not 2, 3 or 4.
    """
    if not is_whole(scale) or scale not in SCALES:
        raise UsageError(f"scale is {scale!r}; accepted are 2, 3 and 4")

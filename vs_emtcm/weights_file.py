"""Weights files: one network at all of its scales.

A weights file is a safetensors file. Its tensors named ``shared/...`` belong to every scale, and ``x2/...``
to one. Its metadata has the format, the shape of the network, the scales and the tune.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vs_emtcm.errors import UsageError
from vs_emtcm.shape import Shape

FORMAT = "emtcm-1"
# Kinds of sources that networks are trained for.
TUNES = ("video", "clean")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The weights of one scale.

    Attributes:
        scale: upscaling factor.
        shape: channels and layers of the network.
        tune: the kind of source that it was trained for, "video" or "clean".
        tensors: state dict of :class:`vs_emtcm.network.Network`, float32.
    """

    scale: int
    shape: Shape
    tune: str
    tensors: Mapping[str, NDArray[np.float32]]


def load_weights(path: Path, scale: int) -> Weights:
    """Read the weights of one scale from a weights file.

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
    """Return a hash of weights, 16 hexadecimal digits; other weights have another one."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()[:16]

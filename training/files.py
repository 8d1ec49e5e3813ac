"""Safetensors files: reading any, and writing those that are whole at any moment."""

from __future__ import annotations

import json
from dataclasses import astuple
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from training.config import Model
from training.errors import TrainingError
from training.form import TrainedForm
from vs_emtcm.errors import UsageError, reason
from vs_emtcm.output import complete_file
from vs_emtcm.weights_file import FORMAT, Weights, load_weights


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors, on the CPU, and the metadata of a safetensors file.

    Raises:
        TrainingError: it cannot be read, or is no safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path} is not a checkpoint: {reason(error)}") from error


def read_model(path: Path, scale: int) -> Weights:
    """Read the weights of one scale from a weights file, finite and of the size that it describes.

    Raises:
        UsageError: :func:`vs_emtcm.weights_file.load_weights` refuses the file, the size is another one, or a
            weight is not finite.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give a weights file")
    weights = load_weights(path, scale)
    layers = {name.rpartition(".conv.")[0] for name in weights.tensors}
    # The first layer of stage 2 is called "fuse".
    held = (
        len(weights.tensors.get("head.conv.bias", ())),
        sum(name.startswith("body1.") for name in layers),
        1 + sum(name.startswith("body2.") for name in layers),
    )
    if held != astuple(weights.shape):
        raise UsageError(f"{path} is a damaged weights file: it describes another network than it holds")
    for name, tensor in weights.tensors.items():
        if not np.isfinite(tensor).all():
            raise UsageError(f"{path} holds weights that are not finite: {name}; give another file")
    return weights


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file; a kill at any moment leaves the old one or the new one.

    Raises:
        TrainingError: it cannot be written.
    """
    try:
        with complete_file(path) as temporary:
            # safetensors' own save_file makes a file that only its owner can read.
            temporary.write_bytes(_with_sorted_metadata(save(tensors, metadata)))
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path} cannot be written: {reason(error)}") from error


def _with_sorted_metadata(content: bytes) -> bytes:
    """Return a safetensors file with its metadata in the order of their keys.

    safetensors writes them in random order. Sorted, equal tensors and metadata are equal files.
    """
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    # Tensors begin at a multiple of 8 bytes.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def write_weights(path: Path, form: TrainedForm, model: Model, steps: int) -> None:
    """Write a weights file of :mod:`vs_emtcm.weights_file`.

    Args:
        path: of the file.
        form: the weights, of the model's shape.
        model: what the model is called, and which scales of the form are written.
        steps: number of steps that it was trained for.

    Raises:
        TrainingError: the file cannot be written.
    """
    metadata = {
        "format": FORMAT,
        "name": model.name,
        "tune": model.tune,
        "scales": json.dumps(model.scales),
        "channels": str(model.shape.channels),
        "stage1": str(model.shape.stage1),
        "stage2": str(model.shape.stage2),
        "steps": str(steps),
    }
    write_tensors(path, form.file_tensors(model.scales), metadata)

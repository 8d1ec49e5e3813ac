"""Safetensors files: reading any, and writing those that are whole at any moment."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from training.config import Model
from training.errors import TrainingError
from training.form import TrainedForm
from vs_emtcm.errors import reason
from vs_emtcm.output import complete_file
from vs_emtcm.weights_file import FORMAT


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


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file; a kill at any moment leaves the old one or the new one.

    Raises:
        TrainingError: it cannot be written.
    """
    try:
        with complete_file(path) as temporary:
            # safetensors' own save_file makes a file that only its owner can read.
            temporary.write_bytes(save(tensors, metadata))
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path} cannot be written: {reason(error)}") from error


def write_weights(path: Path, form: TrainedForm, model: Model, steps: int) -> None:
    """Write a weights file of :mod:`vs_emtcm.models`.

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

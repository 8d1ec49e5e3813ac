"""Checkpoints and weights files."""

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
from vs_emtcm.models import FORMAT
from vs_emtcm.output import complete_file


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a file.

    Raises:
        TrainingError: it cannot be read, or is of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path} is not a checkpoint: {reason(error)}") from error


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a file; a kill at any moment leaves the old one or the new one.

    Raises:
        TrainingError: it cannot be written.
    """
    try:
        with complete_file(path) as temporary:
            # The library's own way to a file makes one that nobody else can read.
            temporary.write_bytes(save(tensors, metadata))
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path} cannot be written: {reason(error)}") from error


def write_weights(path: Path, form: TrainedForm, model: Model, steps: int) -> None:
    """Write a weights file of :mod:`vs_emtcm.models`.

    Args:
        path: of the file.
        form: of the model's shape.
        model: what it is called, and which scales of the form are written.
        steps: that it was trained for.
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

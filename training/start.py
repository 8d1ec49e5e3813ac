"""The weights that a run starts from: another run's checkpoint, or a weights file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from training.checkpoint import read_held, with_prefix
from training.checks import scale_names
from training.config import Recipe
from training.errors import TrainingError
from training.form import TrainedForm
from vs_emtcm.errors import UsageError, reason
from vs_emtcm.models import SCALES
from vs_emtcm.shape import Shape
from vs_emtcm.weights_file import load_weights


@dataclass(frozen=True, kw_only=True)
class Start:
    """The weights of a file.

    Attributes:
        path: of the file.
        tensors: floating-point, finite, on the CPU: the averaged weights of a checkpoint, or the tensors of a
            weights file for ``held``.
        held: the scales that have weights.
        shape: of a weights file; None for a checkpoint, whose tensors are those of a trained form.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    held: frozenset[int]
    shape: Shape | None

    @property
    def fingerprint(self) -> str:
        """A short identifier of the weights: 16 hexadecimal digits, equal for equal weights only."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.tensors.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.double().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def read_start(path: Path) -> Start:
    """Read a checkpoint's averaged weights, or a weights file.

    Raises:
        UsageError: there is no such file, it is neither of both or damaged, or its weights are not finite.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UsageError(f"{path} {what}; start from the folder of a run, its checkpoint, or a weights file")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} is neither a checkpoint nor a weights file: {reason(error)}") from error
    if "format" in metadata:
        start = _of_weights_file(path, tensors, metadata)
    else:
        try:
            held = read_held(path, metadata)
        except TrainingError as error:
            raise UsageError(
                f"{path} is neither a checkpoint nor a weights file; start from another"
            ) from error
        if not held.issubset(SCALES):
            raise UsageError(f"{path} is a damaged checkpoint: its scales are not some of 2, 3 and 4")
        start = Start(path=path, tensors=with_prefix(tensors, "average/"), held=held, shape=None)
    for name, tensor in start.tensors.items():
        if not tensor.is_floating_point():
            raise UsageError(f"{path} is damaged: {name} is of {tensor.dtype}; start from another file")
        if not bool(tensor.isfinite().all()):
            raise UsageError(f"{path} holds weights that are not finite: {name}; start from another file")
    return start


def _of_weights_file(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Start:
    """Return the weights of a weights file; see :func:`vs_emtcm.weights_file.load_weights`.

    Raises:
        UsageError: the product would refuse the file, or it has a scale that there is not.
    """
    try:
        held = frozenset(int(number) for number in json.loads(metadata["scales"]))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        held = frozenset()
    if not held or not held.issubset(SCALES):
        raise UsageError(f"{path} is a damaged weights file: its scales are not some of 2, 3 and 4")
    shapes = [load_weights(path, scale).shape for scale in sorted(held)]
    prefixes = ("shared/", *(f"x{scale}/" for scale in held))
    own = {name: tensor for name, tensor in tensors.items() if name.startswith(prefixes)}
    return Start(path=path, tensors=own, held=held, shape=shapes[0])


def start_from(form: TrainedForm, recipe: Recipe, start: Start) -> frozenset[int]:
    """Load weights into a form.

    Args:
        form: of the recipe's model.
        recipe: of the run that starts.
        start: the weights.

    Returns:
        The scales that have weights now.

    Raises:
        UsageError: the weights are of another network, or they lack a scale of the model that no phase starts
            from another scale.
    """
    held = start.held
    try:
        if start.shape is None:
            load_form(form, start.tensors, start.path)
        elif start.shape == recipe.model.shape:
            held = form.assign(start.tensors)
        else:
            raise ValueError("of another shape")
    except (KeyError, ValueError, RuntimeError, TrainingError) as error:
        raise UsageError(f"{start.path} holds the weights of another network; start from another") from error
    started = {scale for phase in recipe.phases for scale in phase.start}
    missing = scale_names(s for s in recipe.model.scales if s not in held | started)
    if missing:
        raise UsageError(
            f"{start.path} holds no {missing}; start from another file, or let a phase start them "
            "from a scale that is there"
        )
    return held


def load_form(form: TrainedForm, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load a state dict of a checkpoint into a form.

    Args:
        form: on any device.
        weights: the state dict.
        path: of the checkpoint, for messages.

    Raises:
        TrainingError: it is of another network.
    """
    wanted = {k: v.shape for k, v in form.state_dict().items()}
    if {k: v.shape for k, v in weights.items()} != wanted:
        raise TrainingError(f"{path} is a checkpoint of another network; start in a new folder")
    form.load_state_dict(weights)

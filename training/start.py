"""The weights that a run starts from: another run's checkpoint, or a weights file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from training.checkpoint import read_held, with_prefix
from training.checks import scale_names
from training.config import Recipe
from training.errors import TrainingError
from training.files import read_tensors
from training.form import TrainedForm
from vs_emtcm.shape import Shape


def start_from(form: TrainedForm, recipe: Recipe, path: Path) -> frozenset[int]:
    """Load the averaged weights of a checkpoint, or the weights of a weights file, into a form.

    Args:
        form: of the recipe's model.
        recipe: of the run that starts.
        path: of the checkpoint or weights file.

    Returns:
        The scales that have weights now.

    Raises:
        TrainingError: the file cannot be read or is of another network, or it lacks a scale of the model that
            no phase starts from another scale.
    """
    tensors, metadata = read_tensors(path)
    if "format" not in metadata:
        load_weights(form, with_prefix(tensors, "average/"), path)
        held = read_held(path, metadata)
    else:
        try:
            if Shape.from_metadata(metadata) != recipe.model.shape:
                raise ValueError("of another shape")
            held = form.assign(tensors)
        except (KeyError, ValueError, RuntimeError) as error:
            raise TrainingError(f"{path} holds the weights of another network; start from another") from error
    started = {scale for phase in recipe.phases for scale in phase.start}
    missing = scale_names(s for s in recipe.model.scales if s not in held | started)
    if missing:
        raise TrainingError(
            f"{path} holds no {missing}; start from another file, or let a phase start them "
            "from a scale that is there"
        )
    return held


def load_weights(form: TrainedForm, weights: Mapping[str, Tensor], path: Path) -> None:
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

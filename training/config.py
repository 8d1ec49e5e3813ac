"""The recipe of a model: a TOML file with these sections and no other keys."""

from __future__ import annotations

from pathlib import Path

import msgspec

from training.losses import TaskWeights
from vs_emtcm.network import Shape


class ConfigError(Exception):
    """A recipe that cannot be used; the message says why."""


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is made.

    Attributes:
        name: "base", "large", ...
        tune: "clean" or "video".
        scales: trained together.
        shape: size of the deployed network.
        width: channels of the wide form.
    """

    name: str
    tune: str
    scales: tuple[int, ...] = (2, 3, 4)
    shape: Shape
    width: int


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long and how fast.

    Attributes:
        steps: each step sees one batch of every scale.
        batch: crops per step of each scale.
        crop: side of a low-resolution crop, its border included.
        learning_rate: the peak; cosine to zero after ``warmup`` steps.
        ema: decay of the averaged weights, which are the ones shipped.
        evaluate_every, checkpoint_every: steps.
    """

    steps: int
    batch: dict[int, int]
    crop: int
    learning_rate: float
    warmup: int
    ema: float
    seed: int
    evaluate_every: int
    checkpoint_every: int


class Loss(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The loss.

    Attributes:
        stage1: weight of the first estimate's loss; the second's is 1.
        tasks: weights of the tasks beside the pixel task.
        sample: crops of each batch on which those tasks are computed.
    """

    stage1: float
    tasks: TaskWeights
    sample: int


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole recipe file."""

    model: Model
    schedule: Schedule
    loss: Loss


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        ConfigError: the file is missing, is not TOML, or has unknown, missing or mistyped keys.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Recipe)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path} is not a valid recipe: {error}") from error

"""The recipe of a model: a TOML file with the tables of :class:`Recipe` and no other keys."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from training.losses import WINDOW, Pixel, TaskWeights
from vs_emtcm.errors import UsageError
from vs_emtcm.shape import Shape, receptive_radius

# The upper bounds are far above what is of use; beyond them, numbers do not fit into memory or into float32.
Positive = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Channels = Annotated[int, msgspec.Meta(ge=1, le=1024)]
Layers = Annotated[int, msgspec.Meta(ge=1, le=256)]
Width = Annotated[int, msgspec.Meta(ge=1, le=8192)]
Batch = Annotated[int, msgspec.Meta(ge=1, le=65536)]
Crop = Annotated[int, msgspec.Meta(ge=1, le=65536)]
Rate = Annotated[float, msgspec.Meta(gt=0)]
Weight = Annotated[float, msgspec.Meta(ge=0)]
LARGEST_NUMBER = 1e6
Scale = Literal[2, 3, 4]
Tune = Literal["clean", "video"]


class ConfigError(UsageError):
    """A recipe that cannot be used; the message says why."""


class Size(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The size of a deployed network, as a table; see :class:`vs_emtcm.shape.Shape`."""

    channels: Channels
    stage1: Layers
    stage2: Layers


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model that is made.

    Attributes:
        name: "base", "large", ...
        tune: "clean" or "video".
        size: of the deployed network; called ``shape`` in the recipe.
        scales: that the model has.
        shared: names of the kernels that all scales have in common; see
            :func:`training.kernels.kernel_names`.
        width: channels of wide kernels; without it, kernels are trained as they are deployed.
    """

    name: str
    tune: Tune
    size: Size = msgspec.field(name="shape")
    scales: Annotated[tuple[Scale, ...], msgspec.Meta(min_length=1)] = (2, 3, 4)
    shared: tuple[str, ...] = ()
    width: Width | None = None

    @property
    def shape(self) -> Shape:
        """The size of the deployed network."""
        return Shape(**msgspec.structs.asdict(self.size))


class Optimizer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The optimizer.

    Attributes:
        name: of the kernels' optimizer: "soap" (Vyas et al., 2024) or "adam".
        vector_rate: learning rate of slopes and biases, relative to that of kernels. They are
            always trained with Adam.
        weight_decay: of kernels, decoupled from the gradient (Loshchilov and Hutter, ICLR 2019): each step
            takes this times the learning rate off them.
    """

    name: Literal["soap", "adam"]
    vector_rate: Rate
    weight_decay: Weight = 0.0


class Phase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the training: a number of steps on some scales.

    Attributes:
        scales: each step sees one batch of each.
        steps: their number.
        batch: crops of each scale in a step.
        crop: side of a low-resolution crop in pixels, with the border that convolutions consume.
        learning_rate: the peak.
        end_rate: the learning rate at the end.
        pixel: the pixel task: "charbonnier", or "log" for the logarithm of each crop's mean squared error.
        start: for scales that start from another scale's weights, that scale.
        freeze_shared: do not train the shared kernels.
    """

    scales: Annotated[tuple[Scale, ...], msgspec.Meta(min_length=1)]
    steps: Positive
    batch: Batch
    crop: Crop
    learning_rate: Rate
    end_rate: Weight = 0.0
    pixel: Pixel = "charbonnier"
    start: dict[Scale, Scale] = msgspec.field(default_factory=dict)
    freeze_shared: bool = False


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings that all phases have in common.

    Attributes:
        form: course of the learning rate in each phase. "cosine": a linear rise over ``warmup`` steps, then a
            cosine to the end; "one-cycle": a cosine rise over a third of the phase, then a cosine to the end.
        warmup: number of steps in which the learning rate rises, for "cosine".
        ema: decay per step of the averaged weights, which are the ones shipped.
        seed: of weights and crops.
        evaluate_every: number of steps between evaluations.
        checkpoint_every: number of steps between checkpoints.
    """

    form: Literal["cosine", "one-cycle"] = "cosine"
    warmup: Positive
    ema: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    evaluate_every: Positive
    checkpoint_every: Positive


class Loss(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The loss.

    Attributes:
        stage1, stage2: weights of the loss of each estimate.
        tasks: weights of the tasks beside the pixel task.
        sample: number of crops of each batch on which these tasks are computed.
    """

    stage1: Weight
    stage2: Weight = 1.0
    tasks: TaskWeights
    sample: Positive


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole recipe file."""

    model: Model
    optimizer: Optimizer
    schedule: Schedule
    loss: Loss
    phases: Annotated[tuple[Phase, ...], msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Check what the types cannot say."""
        for name, number in _numbers(msgspec.to_builtins(self), "the recipe"):
            if not math.isfinite(number):
                raise ValueError(f"{name} is {number}; give a finite number")
            if number > LARGEST_NUMBER:
                raise ValueError(f"{name} is {number:g}; give at most {LARGEST_NUMBER:g}")
        if self.loss.stage1 == self.loss.stage2 == 0:
            raise ValueError("loss.stage1 and loss.stage2 are both 0; one of them must count")
        for scales in (self.model.scales, *(phase.scales for phase in self.phases)):
            if len(set(scales)) < len(scales):
                raise ValueError(f"scales are {', '.join(map(str, scales))}; name each once")
        for phase in self.phases:
            for scale in {*phase.scales, *phase.start, *phase.start.values()}:
                if scale not in self.model.scales:
                    raise ValueError(f"a phase names scale {scale}, which is not one of model.scales")
            for scale, source in phase.start.items():
                if scale == source:
                    raise ValueError(f"a phase starts x{scale} from itself; name another scale")
            smallest = 2 * receptive_radius(self.model.shape, 2) + WINDOW
            if phase.crop < smallest:
                raise ValueError(f"a crop of {phase.crop} is too small for the network; it needs {smallest}")
            if phase.batch < self.loss.sample:
                raise ValueError(f"loss.sample is {self.loss.sample}, more than a batch of {phase.batch}")

    @property
    def steps(self) -> int:
        """The number of steps of all phases."""
        return sum(phase.steps for phase in self.phases)


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    """Find all floating-point numbers in a table, at any depth, each with its key.

    Args:
        value: a table, an array or a value.
        name: the key of ``value``.
    """
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _numbers(below, str(key))
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _numbers(below, name)
    elif isinstance(value, float):
        yield name, value


def parse_recipe(settings: dict[str, Any], source: str) -> Recipe:
    """Return the recipe that the tables of a TOML file hold.

    Args:
        settings: the tables.
        source: what to call the file in messages.

    Raises:
        ConfigError: unknown, missing, mistyped or contradictory keys.
    """
    try:
        # Keys of TOML are strings, those of Phase.start are numbers.
        recipe = msgspec.convert(settings, Recipe, str_keys=True)
        _check_sense(recipe)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"{source} is not a valid recipe: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{source} is not a valid recipe: it is nested too deeply") from error
    return recipe


def _check_sense(recipe: Recipe) -> None:
    """Refuse settings of a recipe file that contradict each other, though a run can be made of them.

    Recipes out of checkpoints, and those that are made for a few steps, are not checked.

    Raises:
        ValueError: a learning rate would rise to the end, or would not rise to its peak.
    """
    for number, phase in enumerate(recipe.phases):
        if phase.end_rate > phase.learning_rate:
            raise ValueError(
                f"end_rate of phases[{number}] is {phase.end_rate}, above its learning_rate of "
                f"{phase.learning_rate}"
            )
        if recipe.schedule.form == "cosine" and recipe.schedule.warmup > phase.steps:
            raise ValueError(
                f"schedule.warmup is {recipe.schedule.warmup}, more than the {phase.steps} steps of "
                f"phases[{number}]"
            )


def read_toml(path: Path) -> dict[str, Any]:
    """Read the tables of a TOML file.

    Raises:
        ConfigError: the file is missing or is not TOML.
    """
    try:
        tables: dict[str, Any] = msgspec.toml.decode(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is not a TOML file: it is nested too deeply") from error
    except (msgspec.DecodeError, ValueError) as error:
        # ValueError: not UTF-8, or a number of thousands of digits.
        raise ConfigError(f"{path} is not a TOML file: {error}") from error
    return tables


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        ConfigError: the file is missing, is not TOML, or has unknown, missing, mistyped or
            contradictory keys.
    """
    return parse_recipe(read_toml(path), str(path))

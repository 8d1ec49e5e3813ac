"""Narrower networks out of trained ones: what matters least fades out while the rest is trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
from torch import Tensor

from training.config import Recipe, Size
from training.crops import CropSource
from training.features import fade, feature_groups, importance, narrowed
from training.form import TrainedForm
from training.loop import LOOK_EVERY
from training.losses import TaskWeights
from training.objective import DetailsLoss, details_loss
from training.run import Run
from training.shorten import shortened
from vs_emtcm.engines.load import load_network
from vs_emtcm.errors import UsageError
from vs_emtcm.shape import Shape
from vs_emtcm.weights_file import Weights

Advance = Callable[[int, float], None]
"""Told of the number of steps that are done in all rounds, and of the mean loss of the last ones."""
# Number of crops by which layers and features are judged.
JUDGED_CROPS = 96


class NarrowError(UsageError):
    """A network that cannot be made of another; the message says why."""


def judgement(recipe: Recipe, scale: int) -> DetailsLoss:
    """Return the loss by which layers and features are judged: the recipe's, but of the pixel task alone."""
    pixels = TaskWeights(luminance=0, contrast=0, structure=0, distribution=0)
    return details_loss(scale, msgspec.structs.replace(recipe.loss, tasks=pixels), "log", 1.0)


def wide_recipe(recipe: Recipe, shape: Shape, steps: int) -> Recipe:
    """Return the recipe, of a constant learning rate, by which a wider network is trained and narrowed.

    Args:
        recipe: of the narrow network; only its first phase is used.
        shape: of the wider network.
        steps: length of the training.
    """
    first = recipe.phases[0]
    phase = msgspec.structs.replace(first, steps=steps, start={}, end_rate=first.learning_rate)
    size = Size(**asdict(shape))
    model = msgspec.structs.replace(recipe.model, size=size, scales=first.scales, shared=(), width=None)
    return msgspec.structs.replace(recipe, model=model, phases=(phase,))


def fade_out(
    run: Run, source: CropSource, channels: int, fading: int, done: int, advance: Advance
) -> dict[str, Tensor]:
    """Train a run to the end of its only phase while some of its features fade out.

    Args:
        run: of :func:`wide_recipe`, at its first step.
        source: its crops.
        channels: how many features remain of each group: those that matter most.
        fading: steps in which the other features fade out.
        done: steps of earlier rounds.
        advance: told of the progress.

    Returns:
        The weights of the narrower network.
    """
    scale = source.scale
    groups = feature_groups(run.recipe.model.shape)
    low, high = source.draw(np.random.default_rng(run.recipe.schedule.seed), JUDGED_CROPS)
    network = run.averaged().deployed(scale)
    judged = importance(network, groups, low, high, judgement(run.recipe, scale))
    orders = [values.argsort(descending=True).tolist() for values in judged]
    stepper = run.stepper({scale: source})
    steps = run.end_of_phase()
    for number in range(steps):
        run.train_step(stepper)
        # The factors multiply up to a linear descent from 1 to 0.
        factor = (fading - number - 1) / (fading - number) if number < fading else 0.0
        for group, order in zip(groups, orders, strict=True):
            fade(run.form, scale, group, order[channels:], factor)
        if number == fading:
            # The averages begin anew: they still hold the features that are gone.
            for name, value in run.form.state_dict().items():
                run.average[name].copy_(value)
        if (number + 1) % LOOK_EVERY == 0 or number + 1 == steps:
            advance(done + number + 1, run.loss(stepper))
    state = {name: value.detach() for name, value in run.averaged().collapse(scale).items()}
    return narrowed(state, groups, [sorted(order[:channels]) for order in orders])


def _in_words(shape: Shape) -> str:
    return f"{shape.channels} channels and {shape.stage1} + {shape.stage2} layers"


def narrow(
    recipe: Recipe,
    weights: Weights,
    source: CropSource,
    *,
    rounds: int,
    fading: int,
    settling: int,
    compiled: bool,
    amx: bool,
    advance: Advance,
) -> TrainedForm:
    """Make a network of a recipe's shape out of a larger one.

    Surplus layers of stage 2 are removed first; surplus features then fade out, round by round.

    Args:
        recipe: of the small network; its loss, optimizer and first phase train it.
        weights: of the large network.
        source: crops of its scale.
        rounds: number of rounds; about the same number of features goes in each.
        fading: steps of a round in which features fade out.
        settling: steps of a round after they are gone.
        compiled, amx: see :class:`training.run.Run`.
        advance: told of the progress.

    Returns:
        The small network's form, of one scale.

    Raises:
        NarrowError: the large network is not larger, or has another first stage.
        TrainingError: the loss diverged.
    """
    shape, wanted, scale = weights.shape, recipe.model.shape, weights.scale
    too_small = shape.channels < wanted.channels or shape.stage2 < wanted.stage2 or shape == wanted
    if too_small or shape.stage1 != wanted.stage1:
        raise NarrowError(
            f"a network of {_in_words(wanted)} cannot be made of one of {_in_words(shape)}; "
            "give a wider network with as long a stage 1"
        )
    network = load_network(weights, 2)
    judge = judgement(recipe, scale)
    low, high = source.draw(np.random.default_rng(recipe.schedule.seed), JUDGED_CROPS)
    while shape.stage2 > wanted.stage2:
        network, shape = shortened(network, shape, low, high, judge)
    state = network.state_dict()
    steps = fading + settling
    for left in range(rounds, 0, -1):
        channels = wanted.channels + (shape.channels - wanted.channels) * (left - 1) // left
        with TemporaryDirectory() as folder:
            settings = wide_recipe(recipe, shape, steps)
            run = Run(settings, Path(folder), compiled=compiled, amx=amx)
            run.assign({f"x{scale}/{name}": value for name, value in state.items()})
            state = fade_out(run, source, channels, fading, (rounds - left) * steps, advance)
        shape = replace(shape, channels=channels)
    form = TrainedForm((scale,), shape, None, ())
    form.assign({f"x{scale}/{name}": value for name, value in state.items()})
    return form

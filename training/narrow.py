"""A narrower network out of a trained one: what matters least fades out while the rest is trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import torch
from torch import Tensor

from training.config import Recipe, Size
from training.crops import CropSource
from training.form import PlainKernel, TrainedForm
from training.loop import LOOK_EVERY
from training.losses import TaskWeights
from training.objective import DetailsLoss, details_loss
from training.run import Run
from vs_emtcm.engines.load import load_network
from vs_emtcm.errors import UsageError
from vs_emtcm.models import Weights
from vs_emtcm.network import Layer, Network
from vs_emtcm.shape import Shape

Advance = Callable[[int, float], None]
# By which features are judged.
JUDGED_CROPS = 96


class NarrowError(UsageError):
    """A network that cannot be made of another; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Layers whose features are added up: those of one number live and go together.

    Attributes:
        makers: the layers that have them as outputs.
        takers: the kernels that have them as their first inputs.
    """

    makers: tuple[str, ...]
    takers: tuple[str, ...]


def feature_groups(shape: Shape) -> tuple[Group, ...]:
    """All features of a network: each layer makes those of one group."""
    first = [f"body1.{i}" for i in range(shape.stage1)]
    second = [f"body2.{i}" for i in range(shape.stage2 - 1)]
    return (
        # A skip adds the features of the first layer of each stage to those of its last.
        Group(makers=("head", first[-1]), takers=(first[0], "estimate1", "fuse")),
        Group(makers=("fuse", *second[-1:]), takers=(*second[:1], "estimate2")),
        *(Group(makers=(one,), takers=(next_,)) for body in (first, second) for one, next_ in pairwise(body)),
    )


def _layer(network: Network, name: str) -> Layer:
    layer = network.get_submodule(name)
    assert isinstance(layer, Layer)
    return layer


def judgement(recipe: Recipe, scale: int) -> DetailsLoss:
    """The loss by which layers and features are judged: the recipe's stages, and pixels alone."""
    pixels = TaskWeights(luminance=0, contrast=0, structure=0, distribution=0)
    return details_loss(scale, msgspec.structs.replace(recipe.loss, tasks=pixels), "log", 1.0)


def importance(
    network: Network, groups: Sequence[Group], low: Tensor, high: Tensor, judge: DetailsLoss
) -> list[Tensor]:
    """How much each feature matters: the mean square of the loss's derivative by a factor on it.

    About what the loss would rise by without it (Molchanov et al., CVPR 2019).

    Args:
        network: on the CPU.
        groups: of :func:`feature_groups`.
        low, high: crops, (N, 1, H, H) and (N, 1, scale*H, scale*H), values in 0..1.
        judge: of :func:`judgement`.

    Returns:
        (channels,) for each group.
    """
    channels = len(network.head.slope)
    factors = [torch.ones(channels, 1, 1, requires_grad=True) for _ in groups]
    hooks = [
        _layer(network, maker).register_forward_hook(
            lambda _layer, _input, made, factor=factor: made * factor
        )
        for group, factor in zip(groups, factors, strict=True)
        for maker in group.makers
    ]
    found = [torch.zeros(channels) for _ in groups]
    for x, truth in zip(low[:, None], high[:, None], strict=True):
        loss, _ = judge(network.details(x), x, truth)
        for sum_, derivative in zip(found, torch.autograd.grad(loss, factors), strict=True):
            sum_ += derivative.flatten().square() / len(low)
    for hook in hooks:
        hook.remove()
    return found


@torch.no_grad()
def fade(form: TrainedForm, scale: int, group: Group, features: Collection[int], factor: float) -> None:
    """Multiply what some features of a group give to those that take them."""
    for taker in group.takers:
        kernel = form.kernels(scale)[taker]
        assert isinstance(kernel, PlainKernel)
        kernel.matrix.view(kernel.shape)[:, list(features)] *= factor


def narrowed(
    state: Mapping[str, Tensor], groups: Sequence[Group], kept: Sequence[Sequence[int]]
) -> dict[str, Tensor]:
    """The weights of a network that has some of the features alone.

    Args:
        state: of :class:`vs_emtcm.network.Network`.
        groups: of :func:`feature_groups`.
        kept: of each group, the features, in order; as many of each.
    """
    channels = len(state["head.slope"])
    small = dict(state)
    for group, features in zip(groups, kept, strict=True):
        own = list(features)
        for maker in group.makers:
            for part in ("conv.weight", "conv.bias", "slope"):
                small[f"{maker}.{part}"] = small[f"{maker}.{part}"][own]
        for taker in group.takers:
            name = f"{taker}.weight" if taker.startswith("estimate") else f"{taker}.conv.weight"
            # What follows the features is the first estimate.
            rest = range(channels, small[name].shape[1])
            small[name] = small[name][:, [*own, *rest]]
    return {name: value.contiguous() for name, value in small.items()}


def without_layer(state: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """The weights without one layer of ``body2``, which begins near the identity and adds a little to it."""
    shorter = {}
    for name, value in state.items():
        body, _, rest = name.partition(".")
        if body == "body2":
            position, _, part = rest.partition(".")
            if int(position) == number:
                continue
            name = f"body2.{int(position) - (int(position) > number)}.{part}"
        shorter[name] = value
    return shorter


def shortened(
    network: Network, shape: Shape, low: Tensor, high: Tensor, judge: DetailsLoss
) -> tuple[Network, Shape]:
    """The network without the layer of stage 2 that its loss on some crops misses least, and its shape."""
    shorter = replace(shape, stage2=shape.stage2 - 1)
    candidates = [Network(network.scale, shorter).eval() for _ in range(shape.stage2 - 1)]
    for number, candidate in enumerate(candidates):
        candidate.load_state_dict(without_layer(network.state_dict(), number))
    with torch.inference_mode():
        best = min(candidates, key=lambda candidate: float(judge(candidate.details(low), low, high)[0]))
    return best, shorter


def wide_recipe(recipe: Recipe, shape: Shape, steps: int) -> Recipe:
    """The recipe by which a wider network is trained while it is narrowed, at a constant rate.

    Args:
        recipe: of the narrow network; its first phase counts.
        shape: of the wider one.
        steps: of the training.
    """
    first = recipe.phases[0]
    phase = msgspec.structs.replace(first, steps=steps, start={}, end_rate=first.learning_rate)
    size = Size(**asdict(shape))
    model = msgspec.structs.replace(recipe.model, size=size, scales=first.scales, shared=(), width=None)
    return msgspec.structs.replace(recipe, model=model, phases=(phase,))


def fade_out(
    run: Run, source: CropSource, channels: int, fading: int, done: int, advance: Advance
) -> dict[str, Tensor]:
    """Train a run to the end of its only phase, on fewer features at the end of it.

    Args:
        run: of :func:`wide_recipe`.
        source: of its crops.
        channels: how many features remain of each group.
        fading: steps in which the others fade out.
        done: steps of earlier rounds.
        advance: told of the steps that are done in all rounds, and of the last ones' loss.

    Returns:
        The weights of the narrower network.
    """
    scale = source.scale
    groups = feature_groups(run.recipe.model.shape)
    low, high = source.draw(np.random.default_rng(run.recipe.schedule.seed), JUDGED_CROPS)
    network = run.averaged().deployed(scale)
    judged = importance(network, groups, low, high, judgement(run.recipe, scale))
    orders = [values.argsort(descending=True).tolist() for values in judged]
    step = run.stepper({scale: source})
    steps = run.end_of_phase()
    for number in range(steps):
        run.train_step(step)
        factor = (fading - number - 1) / (fading - number) if number < fading else 0.0
        for group, order in zip(groups, orders, strict=True):
            fade(run.form, scale, group, order[channels:], factor)
        if number == fading:
            # The mean forgets what it knew of them.
            for name, value in run.form.state_dict().items():
                run.average[name].copy_(value)
        if (number + 1) % LOOK_EVERY == 0 or number + 1 == steps:
            advance(done + number + 1, run.loss(step))
    state = {name: value.detach() for name, value in run.averaged().collapse(scale).items()}
    return narrowed(state, groups, [sorted(order[:channels]) for order in orders])


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
    """A network of a recipe's shape, out of a larger one.

    First, layers of stage 2 go that are too many; then features, round by round.

    Args:
        recipe: of the small network; its loss, optimizer and first phase train it.
        weights: of the large network.
        source: of crops of its scale.
        rounds: of fading out, with about as many features each.
        fading, settling: steps of a round.
        compiled: compile the loss.
        amx: see :class:`training.run.Run`.
        advance: see :func:`fade_out`.

    Raises:
        NarrowError: the large network is not larger, or has another first stage.
        TrainingError: the loss diverged.
    """
    shape, wanted, scale = weights.shape, recipe.model.shape, weights.scale
    too_small = shape.channels < wanted.channels or shape.stage2 < wanted.stage2 or shape == wanted
    if too_small or shape.stage1 != wanted.stage1:
        raise NarrowError(f"{wanted} cannot be made of {shape}; give a wider network with as long a stage 1")
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

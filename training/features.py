"""Groups of features of a network: how much each feature matters, and networks without some of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from training.form import TrainedForm
from training.kernels import PlainKernel
from training.objective import DetailsLoss
from vs_emtcm.network import Layer, Network
from vs_emtcm.shape import Shape


@dataclass(frozen=True, kw_only=True)
class Group:
    """Layers whose features are added up, so that a feature can only be removed from all of them at once.

    Attributes:
        makers: the layers that have these features as outputs.
        takers: the kernels that have them as their first inputs.
    """

    makers: tuple[str, ...]
    takers: tuple[str, ...]


def feature_groups(shape: Shape) -> tuple[Group, ...]:
    """Return the groups of a network; each layer makes the features of exactly one."""
    first = [f"body1.{i}" for i in range(shape.stage1)]
    second = [f"body2.{i}" for i in range(shape.stage2 - 1)]
    return (
        # A skip adds the features of the first layer of each stage to those of its last.
        Group(makers=("head", first[-1]), takers=(first[0], "estimate1", "fuse")),
        Group(makers=("fuse", *second[-1:]), takers=(*second[:1], "estimate2")),
        *(Group(makers=(one,), takers=(next_,)) for body in (first, second) for one, next_ in pairwise(body)),
    )


def importance(
    network: Network, groups: Sequence[Group], low: Tensor, high: Tensor, judge: DetailsLoss
) -> list[Tensor]:
    """Return how much each feature matters: the mean square of the loss's derivative by a factor on it.

    This approximates how much the loss would rise without the feature (Molchanov et al., CVPR 2019).

    Args:
        network: on the CPU.
        groups: of :func:`feature_groups`.
        low, high: crops, (N, 1, H, H) and (N, 1, scale*H, scale*H), values in 0..1.
        judge: the loss; see :func:`training.objective.details_loss`.

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


def _layer(network: Network, name: str) -> Layer:
    layer = network.get_submodule(name)
    assert isinstance(layer, Layer)
    return layer


@torch.no_grad()
def fade(form: TrainedForm, scale: int, group: Group, features: Collection[int], factor: float) -> None:
    """Multiply some features of a group by ``factor``, in the kernels that take them.

    Args:
        form: what is changed, with plain kernels.
        scale: of the network.
        group: of :func:`feature_groups`.
        features: numbers of the features.
        factor: 0 removes them.
    """
    for taker in group.takers:
        kernel = form.kernels(scale)[taker]
        assert isinstance(kernel, PlainKernel)
        kernel.matrix.view(kernel.shape)[:, list(features)] *= factor


def narrowed(
    state: Mapping[str, Tensor], groups: Sequence[Group], kept: Sequence[Sequence[int]]
) -> dict[str, Tensor]:
    """Return the weights of the network that keeps only some features.

    Args:
        state: of :class:`vs_emtcm.network.Network`.
        groups: of :func:`feature_groups`.
        kept: for each group the numbers of the features that are kept, ascending; as many for each group.
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
            # The inputs of "fuse" that follow the features are the first estimate; all of them stay.
            rest = range(channels, small[name].shape[1])
            small[name] = small[name][:, [*own, *rest]]
    return {name: value.contiguous() for name, value in small.items()}

"""Networks without some of the layers of their second stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from training.objective import DetailsLoss
from vs_emtcm.network import Network
from vs_emtcm.shape import Shape


def without_layer(state: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """Return the weights without one layer of ``body2``.

    Each of these layers is near the identity, so that the network still works without one of them.

    Args:
        state: of :class:`vs_emtcm.network.Network`.
        number: of the layer that is left out.
    """
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
    """Leave out the layer of stage 2 without which the loss on some crops is lowest.

    Args:
        network: whose layers these are.
        shape: of the network; its stage 2 has two layers or more.
        low, high: crops, (N, 1, H, H) and (N, 1, scale*H, scale*H), values in 0..1.
        judge: the loss; see :func:`training.objective.details_loss`.

    Returns:
        The shorter network and its shape.
    """
    shorter = replace(shape, stage2=shape.stage2 - 1)
    candidates = [Network(network.scale, shorter).eval() for _ in range(shape.stage2 - 1)]
    for number, candidate in enumerate(candidates):
        candidate.load_state_dict(without_layer(network.state_dict(), number))
    with torch.inference_mode():
        best = min(candidates, key=lambda candidate: float(judge(candidate.details(low), low, high)[0]))
    return best, shorter

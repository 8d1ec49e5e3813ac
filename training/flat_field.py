"""Biases by which a network leaves flat fields flat."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vs_emtcm.shape import Shape


def flat_field_biases(state: Mapping[str, Tensor], shape: Shape) -> dict[str, Tensor]:
    """Return the biases of both estimates that cancel the network's response to a flat field.

    Args:
        state: all other weights of a :class:`vs_emtcm.network.Network`.
        shape: its size.

    Returns:
        ``estimate1.bias`` and ``estimate2.bias``, (scale**2,) each, differentiable by the state.
    """

    def respond(name: str, x: Tensor) -> Tensor:
        """Return one layer's result on a flat field: a number for each channel."""
        summed = state[f"{name}.conv.weight"].sum(dim=(2, 3)) @ x + state[f"{name}.conv.bias"]
        return torch.where(summed >= 0, summed, state[f"{name}.slope"] * summed)

    head = respond("head", state["head.conv.bias"].new_zeros(1))
    features = head
    for i in range(shape.stage1):
        features = respond(f"body1.{i}", features)
    features = features + head
    estimate1 = state["estimate1.weight"].sum(dim=(2, 3))
    detail = features.new_zeros(len(estimate1))
    refined = skip = respond("fuse", torch.cat((features, detail)))
    for i in range(shape.stage2 - 1):
        refined = respond(f"body2.{i}", refined)
    refined = refined + skip
    estimate2 = state["estimate2.weight"].sum(dim=(2, 3))
    return {"estimate1.bias": -estimate1 @ features, "estimate2.bias": -estimate2 @ refined}

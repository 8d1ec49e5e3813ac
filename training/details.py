"""The network in training, as a function of weights and crops; it gives details, see ``Network.details``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from vs_emtcm.network import Layer, Network
from vs_emtcm.shape import BODY_SIZE, HEAD_SIZE, Shape

Details = Callable[[dict[str, Tensor], Tensor], tuple[Tensor, ...]]
"""From a state dict of :class:`vs_emtcm.network.Network` and crops (N, 1, H, H) with values in 0..1 to what
each stage adds to the pixels, (N, scale**2, H', W')."""


class _Details(nn.Module):
    """A module whose ``forward`` is a network's ``details``: all that ``functional_call`` can call."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.network.details(x)


def _stateless(network: Network, device: torch.device) -> Details:
    """Return a network as a function of its weights; its own serve only as a structure."""
    module = _Details(network).requires_grad_(False).to(device)

    def compute(state: dict[str, Tensor], low: Tensor) -> tuple[Tensor, ...]:
        weights = {f"network.{name}": value for name, value in state.items()}
        details: tuple[Tensor, ...] = functional_call(module, weights, (low,))
        return details

    return compute


def torch_details(scale: int, shape: Shape, device: torch.device) -> Details:
    """Return the network in single precision.

    Args:
        scale, shape: of the network.
        device: of weights and crops.
    """
    details = _stateless(Network(scale, shape), device)

    def compute(state: dict[str, Tensor], low: Tensor) -> tuple[Tensor, ...]:
        return details(state, low.contiguous(memory_format=torch.channels_last))

    return compute


class _RoundedResult(Layer):
    """A layer in single precision whose result is rounded to bfloat16."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).to(torch.bfloat16, memory_format=torch.channels_last)


class _RoundedInput(Layer):
    """A layer in bfloat16 whose input is rounded to it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(torch.bfloat16, memory_format=torch.channels_last))


def bfloat16_details(scale: int, shape: Shape, device: torch.device) -> Details:
    """Return the network with its features, and all kernels but the head's, rounded to bfloat16.

    The head, the interpolation and the details stay in single precision: a pixel has more bits than
    bfloat16.

    Args:
        scale, shape: of the network.
        device: of weights and crops.
    """
    network = Network(scale, shape)
    network.head = _RoundedResult(1, shape.channels, HEAD_SIZE)
    network.fuse = _RoundedInput(shape.channels + scale * scale, shape.channels, BODY_SIZE)
    details = _stateless(network, device)

    def compute(state: dict[str, Tensor], low: Tensor) -> tuple[Tensor, ...]:
        rounded = {n: value if n.startswith("head") else value.bfloat16() for n, value in state.items()}
        return details(rounded, low)

    return compute

"""Half precision without loss of bit depth: only differences become halves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vs_emtcm.mirror import mirrored
from vs_emtcm.network import Network, assemble, assemble_at_once

# The network is blind to a constant. Around zero, halves are finest.
MIDDLE = 0.5
# Far beyond any picture. What is farther out would become infinite inside of the network.
LIMIT = 64.0


def to_half(x: Tensor) -> Tensor:
    """A float32 picture as the half-precision input of :class:`vs_emtcm.network.DetailNetwork`."""
    return (x - MIDDLE).to(torch.float16, memory_format=torch.channels_last).clamp_(-LIMIT, LIMIT)


def from_half(x: Tensor, detail: Tensor, scale: int) -> Tensor:
    """The float32 result of a picture and its half-precision detail."""
    return assemble_at_once(x, detail, scale)


class PictureNetwork(nn.Module):
    """A network for whole pictures that loses as little as it can in half precision.

    Args:
        network: of any precision.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(1, 1, H, W) in, (1, 1, scale * H, scale * W) out, of the same dtype."""
        padded = mirrored(x, self.network.radius)
        detail = self.network.details(padded - MIDDLE)[-1]
        return assemble(padded.float(), detail.float(), self.network.scale).to(x.dtype)

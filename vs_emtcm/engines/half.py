"""float16 without loss of bit depth: only differences from mid-grey and from the picture become float16."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vs_emtcm.mirror import mirrored
from vs_emtcm.network import Network, assemble

# Taken off the picture before it becomes float16, which is finest around zero. The network's details do not
# change when a constant is added to its input.
MIDDLE = 0.5
# Largest distance from MIDDLE, far beyond any picture: larger values would overflow inside the network.
LIMIT = 64.0


def to_half(x: Tensor) -> Tensor:
    """Convert a picture to the float16 input of :class:`vs_emtcm.network.DetailNetwork`.

    Args:
        x: float32 (N, 1, H, W), nominally 0..1.

    Returns:
        float16 of the same shape, channels last, with mid-grey at zero.
    """
    return (x - MIDDLE).to(torch.float16, memory_format=torch.channels_last).clamp_(-LIMIT, LIMIT)


class PictureNetwork(nn.Module):
    """A network for whole pictures that loses as little as it can when it is converted to float16.

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

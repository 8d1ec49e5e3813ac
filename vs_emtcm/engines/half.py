"""Half precision without loss of bit depth: only differences become halves."""

from __future__ import annotations

import torch
from torch import Tensor

from vs_emtcm.network import assemble

# The network is blind to a constant. Around zero, halves are finest.
MIDDLE = 0.5


def to_half(x: Tensor) -> Tensor:
    """A float32 picture as the half-precision input of :class:`vs_emtcm.network.DetailNetwork`."""
    return (x - MIDDLE).to(torch.float16, memory_format=torch.channels_last)


def from_half(x: Tensor, detail: Tensor, scale: int) -> Tensor:
    """The float32 result of a picture and its half-precision detail."""
    return assemble(x, detail.float(), scale)

"""bfloat16 without loss of bit depth: pixels and first kernels as sums of two numbers.

A bfloat16 has 8 bits: too few for a pixel, and kernels that are rounded to it no longer sum to zero. Two of
them have 16.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from vs_emtcm.network import Network


def _parts(values: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest bfloat16 and what is left, both as float32."""
    nearest = values.to(torch.bfloat16).to(values.dtype)
    return nearest, values - nearest


def split_picture(x: Tensor) -> Tensor:
    """A picture as the input of :func:`split_network`: (N, 1, H, W) in, (N, 3, H, W) out, float32."""
    nearest, rest = _parts(x)
    return torch.cat((nearest, rest, nearest), dim=1)


def _split_kernel(kernel: Tensor) -> Tensor:
    nearest, rest = _parts(kernel)
    return torch.cat((nearest, nearest, rest), dim=1)


def split_network(network: Network) -> Network:
    """The same network for split pictures: no more is lost in bfloat16 than the rounding of features.

    Args:
        network: stays as it is.
    """
    split = copy.deepcopy(network)
    head = network.head.conv
    split.head.conv = nn.Conv2d(3, head.out_channels, head.kernel_size)  # type: ignore[arg-type]
    split.head.conv.weight.data = _split_kernel(head.weight.data)
    split.head.conv.bias = head.bias
    split.cubic = _split_kernel(network.cubic)
    return split

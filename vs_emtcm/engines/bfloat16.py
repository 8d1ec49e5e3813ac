"""bfloat16 without loss of bit depth: pixels and first kernels as sums of two numbers.

A bfloat16 has 8 bits: too few for a pixel, and kernels that are rounded to it no longer sum to zero. Two of
them have 16; a third, in the middle of each kernel, brings the sum to zero.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from vs_emtcm.network import Network

# Channels of a picture: two parts of it for each of three parts of the kernels.
PARTS = 6


def _parts(values: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest bfloat16 and what is left, both as float32."""
    nearest = values.to(torch.bfloat16).to(values.dtype)
    return nearest, values - nearest


def split_picture(x: Tensor) -> Tensor:
    """A picture as the input of :func:`split_network`: (N, 1, H, W) in, (N, PARTS, H, W) out, float32."""
    return torch.cat((*_parts(x), *_parts(x), *_parts(x)), dim=1)


def _split_kernel(kernel: Tensor) -> Tensor:
    nearest, rest = _parts(kernel)
    rest, _ = _parts(rest)
    middle = torch.zeros_like(kernel)
    sums = (nearest.double() + rest.double()).sum(dim=(1, 2, 3))
    middle[:, 0, kernel.shape[-2] // 2, kernel.shape[-1] // 2] = -sums.to(kernel.dtype)
    # Each part of the kernel for both parts of the picture.
    parts = nearest, rest, _parts(middle)[0]
    return torch.cat([part for part in parts for _ in range(2)], dim=1)


def split_network(network: Network) -> Network:
    """The same network for split pictures: no more is lost in bfloat16 than the rounding of features.

    Args:
        network: stays as it is.
    """
    split = copy.deepcopy(network)
    head = split.head.conv
    # A new layer would be wherever another program has its default device.
    head.in_channels = PARTS
    head.weight = nn.Parameter(_split_kernel(head.weight.data), requires_grad=False)
    split.cubic = _split_kernel(network.cubic)
    return split

"""bfloat16 without loss of bit depth: pixels and the first kernels as sums of several bfloat16 numbers.

A bfloat16 has 8 bits of precision. They are too few for a pixel, and kernels that are rounded to it no longer
sum to zero. The sum of two has 16 bits; a third part, in the middle of each kernel, brings its sum back to
zero.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from vs_emtcm.network import Network

# Channels of a split picture: its two parts, once for each of the three parts of a kernel.
PARTS = 6


def _nearest_and_rest(values: Tensor) -> tuple[Tensor, Tensor]:
    """Split float32 values into the nearest bfloat16 and what is left, both as float32."""
    nearest = values.to(torch.bfloat16).to(values.dtype)
    return nearest, values - nearest


def split_picture(x: Tensor) -> Tensor:
    """Split a picture into the input of :func:`split_network`: (N, 1, H, W) to (N, PARTS, H, W), float32."""
    return torch.cat((*_nearest_and_rest(x), *_nearest_and_rest(x), *_nearest_and_rest(x)), dim=1)


def _split_kernel(kernel: Tensor) -> Tensor:
    """Split kernels that sum to zero into kernels for a split picture that still do in bfloat16.

    Args:
        kernel: float32 (C, 1, K, K), K odd.

    Returns:
        float32 (C, PARTS, K, K); every value is a bfloat16.
    """
    nearest, rest = _nearest_and_rest(kernel)
    rest, _ = _nearest_and_rest(rest)
    # What the two parts of a kernel sum to, taken off in its middle.
    middle = torch.zeros_like(kernel)
    sums = (nearest.double() + rest.double()).sum(dim=(1, 2, 3))
    middle[:, 0, kernel.shape[-2] // 2, kernel.shape[-1] // 2] = -sums.to(kernel.dtype)
    parts = nearest, rest, _nearest_and_rest(middle)[0]
    # Each part of the kernel meets both parts of the picture.
    return torch.cat([part for part in parts for _ in range(2)], dim=1)


def split_network(network: Network) -> Network:
    """Copy a network so that it takes split pictures and loses only the rounding of features in bfloat16.

    Args:
        network: float32; it is not changed.
    """
    split = copy.deepcopy(network)
    head = split.head.conv
    # Changed in place: a new layer would be on PyTorch's default device, which is the caller's to choose.
    head.in_channels = PARTS
    head.weight = nn.Parameter(_split_kernel(head.weight.data), requires_grad=False)
    split.cubic = _split_kernel(network.cubic)
    return split

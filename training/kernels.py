"""Kernels of the network in training.

A kernel is trained as it is deployed (:class:`PlainKernel`) or as the product of a 3x3 convolution to
``width`` channels, a 1x1 convolution back and an identity (:class:`WideKernel`): a collapsible linear
block (Bhardwaj et al., SESR, MLSys 2022). The product of the weights is convolved, not the pixels, so
that a step costs what the deployed network costs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vs_emtcm.shape import BODY_SIZE, HEAD_SIZE, Shape


def _identity(outputs: int, inputs: int, size: int) -> Tensor:
    """Return the kernel that passes each input on to the output of its number."""
    delta = torch.zeros(outputs, inputs, size, size)
    for i in range(min(inputs, outputs)):
        delta[i, i, size // 2, size // 2] = 1
    return delta


class PlainKernel(nn.Module):
    """A (outputs, inputs, size, size) kernel, held as a matrix: one row for each output.

    Args:
        inputs, outputs, size: of the kernel.
        spread: standard deviation at the start, relative to He initialisation for ReLU.
        identity: start near the identity.
    """

    def __init__(self, inputs: int, outputs: int, size: int, spread: float, identity: bool) -> None:
        super().__init__()
        self.shape = outputs, inputs, size, size
        kernel = spread * (2 / (inputs * size * size)) ** 0.5 * torch.randn(self.shape)
        if identity:
            kernel += _identity(outputs, inputs, size)
        self.matrix = nn.Parameter(kernel.reshape(outputs, -1))

    def forward(self) -> Tensor:
        """Return the kernel."""
        return self.matrix.reshape(self.shape)

    @torch.no_grad()
    def assign(self, kernel: Tensor) -> None:
        """Take the values of ``kernel``."""
        self.matrix.copy_(kernel.reshape(self.matrix.shape))


class WideKernel(nn.Module):
    """A (outputs, inputs, size, size) kernel made of a wide one and a 1x1 projection.

    Args:
        inputs, outputs, size: of the kernel.
        width: channels between the two.
        spread: standard deviation at the start, relative to He initialisation for ReLU.
        identity: add the identity.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, width: int, spread: float, identity: bool
    ) -> None:
        super().__init__()
        self.shape = outputs, inputs, size, size
        self.expand = nn.Parameter((2 / (inputs * size * size)) ** 0.5 * torch.randn(width, inputs * size**2))
        self.project = nn.Parameter(spread / width**0.5 * torch.randn(outputs, width))
        delta = _identity(outputs, inputs, size) if identity else torch.zeros(self.shape)
        self.register_buffer("delta", delta, persistent=False)
        self.delta: Tensor

    def forward(self) -> Tensor:
        """Return the collapsed kernel."""
        return (self.project @ self.expand).reshape(self.shape) + self.delta

    @torch.no_grad()
    def assign(self, kernel: Tensor) -> None:
        """Choose both factors so that they give ``kernel``, or the nearest kernel of rank ``width``."""
        wanted = (kernel.to(self.delta) - self.delta).reshape(len(kernel), -1)
        left, values, right = torch.linalg.svd(wanted.double(), full_matrices=False)
        # Beyond the rank, ``expand`` keeps its values: where both factors are zero, neither has a gradient.
        rank = min(len(self.expand), int((values > 1e-7 * values[0]).sum()))
        spread = values[:rank].sqrt()
        self.expand[:rank] = (spread[:, None] * right[:rank]).to(self.expand)
        self.project.zero_()
        self.project[:, :rank] = (left[:, :rank] * spread).to(self.project)


def kernel_names(shape: Shape) -> list[str]:
    """Return the names of all kernels of a network, in the order of computation."""
    stage1 = ["head", *(f"body1.{i}" for i in range(shape.stage1)), "estimate1"]
    return [*stage1, "fuse", *(f"body2.{i}" for i in range(shape.stage2 - 1)), "estimate2"]


def new_kernel(name: str, shape: Shape, scale: int, width: int | None) -> PlainKernel | WideKernel:
    """Make a kernel with random values.

    Args:
        name: of :func:`kernel_names`.
        shape: of the network.
        scale: of the network; only the kernels of estimates and "fuse" depend on it.
        width: of a wide kernel; None makes a plain one.
    """
    c, r2 = shape.channels, scale * scale
    # Random values are small beside the identity, so that a deep chain starts out near the identity.
    inputs, outputs, size, spread, identity = {
        "head": (1, c, HEAD_SIZE, 1.0, False),
        "estimate1": (c, r2, BODY_SIZE, 0.1, False),
        "fuse": (c + r2, c, BODY_SIZE, 0.5, True),
        "estimate2": (c, r2, BODY_SIZE, 0.1, False),
    }.get(name, (c, c, BODY_SIZE, 0.5, True))
    if width is None:
        return PlainKernel(inputs, outputs, size, spread, identity)
    return WideKernel(inputs, outputs, size, width, spread, identity)

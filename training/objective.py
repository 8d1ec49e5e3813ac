"""The training objective: both estimates of every scale against the truth, by the multi-task loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from training.config import Loss
from training.crops import CropSource
from training.form import TrainedForm
from training.losses import Pixel, charbonnier, multi_task_loss
from vs_emtcm.network import Layer, Network, assemble, crop
from vs_emtcm.shape import BODY_SIZE, HEAD_SIZE, Shape

Batch = tuple[Tensor, Tensor]
Details = Callable[[dict[str, Tensor], Tensor], tuple[Tensor, ...]]
DetailsLoss = Callable[[tuple[Tensor, ...], Tensor, Tensor], Tensor]
ScaleLoss = Callable[[dict[str, Tensor], Tensor, Tensor], Tensor]
UNIT_CROPS = 64


def cubic_unit(source: CropSource) -> float:
    """What cubic interpolation scores on crops of ``source``: the unit of its scale's loss.

    The division by it gives every scale the same say in shared kernels.
    """
    low, high = source.draw(np.random.default_rng(0), UNIT_CROPS)
    blurred = F.interpolate(low, scale_factor=source.scale, mode="bicubic", align_corners=False)
    return float(charbonnier(blurred, high)) + 1 / 255


class _Details(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.network.details(x)


def _stateless(network: Network, device: torch.device) -> Details:
    # Only its structure and its fixed interpolation are used.
    module = _Details(network).requires_grad_(False).to(device)

    def compute(state: dict[str, Tensor], low: Tensor) -> tuple[Tensor, ...]:
        weights = {f"network.{name}": value for name, value in state.items()}
        details: tuple[Tensor, ...] = functional_call(module, weights, (low,))
        return details

    return compute


def torch_details(scale: int, shape: Shape, device: torch.device) -> Details:
    """:meth:`vs_emtcm.network.Network.details` as a function of a state dict and a batch of crops.

    Args:
        scale, shape: of the network.
        device: of the batches.
    """
    details = _stateless(Network(scale, shape), device)

    def compute(state: dict[str, Tensor], low: Tensor) -> tuple[Tensor, ...]:
        return details(state, low.contiguous(memory_format=torch.channels_last))

    return compute


class _RoundedResult(Layer):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).to(torch.bfloat16, memory_format=torch.channels_last)


class _RoundedInput(Layer):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(torch.bfloat16, memory_format=torch.channels_last))


def bfloat16_details(scale: int, shape: Shape, device: torch.device) -> Details:
    """As :func:`torch_details`, with features and all kernels but the head's rounded to bfloat16.

    The head, the interpolation and the details stay in single precision: a pixel has more bits than
    bfloat16.
    """
    network = Network(scale, shape)
    network.head = _RoundedResult(1, shape.channels, HEAD_SIZE)
    network.fuse = _RoundedInput(shape.channels + scale * scale, shape.channels, BODY_SIZE)
    details = _stateless(network, device)

    def compute(state: dict[str, Tensor], low: Tensor) -> tuple[Tensor, ...]:
        rounded = {n: value if n.startswith("head") else value.bfloat16() for n, value in state.items()}
        return details(rounded, low)

    return compute


def details_loss(scale: int, loss: Loss, pixel: Pixel, unit: float) -> DetailsLoss:
    """The loss of one scale as a function of the details of both stages and a batch.

    Args:
        scale: of the network.
        loss: stages, tasks and their weights.
        pixel: the pixel task.
        unit: the loss is relative to this.

    Returns:
        A function of two details (N, scale**2, H', W'), low-resolution crops (N, 1, H, H) and
        high-resolution crops (N, 1, scale*H, scale*H), values in 0..1. It gives (2,): the loss, and the mean
        of the pixel task over both stages by their weights, which the other tasks do not change.
    """

    def compute(details: tuple[Tensor, ...], low: Tensor, high: Tensor) -> Tensor:
        losses = []
        for detail in details:
            estimate = assemble(low, detail, scale)
            truth = crop(high, (high.shape[-1] - estimate.shape[-1]) // 2)
            losses.append(multi_task_loss(estimate, truth, pixel, loss.tasks, loss.sample, unit))
        whole, pixels = loss.stage1 * losses[0] + loss.stage2 * losses[1]
        return torch.stack((whole, pixels / (loss.stage1 + loss.stage2)))

    return compute


def joined(details: Details, loss: DetailsLoss) -> ScaleLoss:
    """The loss of one scale as a function of a network's weights and a batch.

    Args:
        details: from the weights.
        loss: from the details.
    """

    def compute(state: dict[str, Tensor], low: Tensor, high: Tensor) -> Tensor:
        return loss(details(state, low), low, high)

    return compute


class Objective(nn.Module):
    """The mean loss of one batch of each scale, and that of the pixel task; see :func:`details_loss`.

    Args:
        form: what is trained.
        losses: the loss of each scale.
    """

    def __init__(self, form: TrainedForm, losses: Mapping[int, ScaleLoss]) -> None:
        super().__init__()
        self.form = form
        self.losses = losses

    def forward(self, batches: Mapping[int, Batch]) -> Tensor:
        """One batch of low- and high-resolution crops for each scale in, (2,) as of its loss out."""
        each = []
        for scale, (low, high) in batches.items():
            each.append(self.losses[scale](self.form.collapse(scale), low, high))
        return torch.stack(each).mean(dim=0)

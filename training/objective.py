"""The training objective: both estimates of every scale against the truth, by the multi-task loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from training.amx import AmxDetails
from training.config import Loss, Phase, Recipe
from training.crops import CropSource
from training.details import Details, bfloat16_details, torch_details
from training.distributed import Part
from training.form import TrainedForm
from training.losses import Pixel, charbonnier, multi_task_loss
from vs_emtcm.network import assemble, crop

Batch = tuple[Tensor, Tensor]
"""Low-resolution crops (N, 1, H, H) and high-resolution crops (N, 1, scale*H, scale*H), values in 0..1."""
DetailsLoss = Callable[[tuple[Tensor, ...], Tensor, Tensor], Tensor]
"""From the details of both stages and a batch to (2,), see :func:`details_loss`."""
ScaleLoss = Callable[[dict[str, Tensor], Tensor, Tensor], Tensor]
"""From a network's state dict and a batch to (2,), see :func:`details_loss`."""
# Number of crops on which cubic interpolation is scored.
UNIT_CROPS = 64


def cubic_unit(source: CropSource) -> float:
    """Return the loss of cubic interpolation on crops of ``source``, by which its scale's loss is divided.

    The division gives every scale the same say in shared kernels.
    """
    low, high = source.draw(np.random.default_rng(0), UNIT_CROPS)
    blurred = F.interpolate(low, scale_factor=source.scale, mode="bicubic", align_corners=False)
    return float(charbonnier(blurred, high)) + 1 / 255


def details_loss(scale: int, loss: Loss, pixel: Pixel, unit: float) -> DetailsLoss:
    """Return the loss of one scale as a function of the details of both stages and a batch.

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


def scale_loss(details: Details, loss: DetailsLoss) -> ScaleLoss:
    """Return the loss of one scale as a function of a network's weights and a batch.

    Args:
        details: from the weights to the details.
        loss: from the details to the loss.
    """

    def compute(state: dict[str, Tensor], low: Tensor, high: Tensor) -> Tensor:
        return loss(details(state, low), low, high)

    return compute


class Objective(nn.Module):
    """The mean over several scales of the loss of one batch each.

    Args:
        form: what is trained.
        losses: the loss of each scale.
    """

    def __init__(self, form: TrainedForm, losses: Mapping[int, ScaleLoss]) -> None:
        super().__init__()
        self.form = form
        self.losses = losses

    def forward(self, batches: Mapping[int, Batch]) -> Tensor:
        """Return (2,): the mean loss, and that of the pixel task; see :func:`details_loss`.

        Args:
            batches: one for each scale.
        """
        each = []
        for scale, (low, high) in batches.items():
            each.append(self.losses[scale](self.form.collapse(scale), low, high))
        return torch.stack(each).mean(dim=0)


def phase_objective(
    form: TrainedForm,
    recipe: Recipe,
    phase: Phase,
    sources: Mapping[int, CropSource],
    *,
    device: torch.device,
    part: Part,
    compiled: bool,
    amx: bool,
) -> Objective | DistributedDataParallel:
    """Return the objective of a phase; of several processes, all of them together compute its gradient.

    Args:
        form: what is trained.
        recipe: its loss and shape count.
        phase: one of the recipe's.
        sources: crops of each scale of the phase.
        device: where it is trained; on a GPU, features are bfloat16.
        part: this process's, of several.
        compiled: compile the losses with ``torch.compile``.
        amx: run the network on the processor's matrix unit, see :mod:`training.amx`.

    Raises:
        AmxError: the matrix unit cannot be used here.
    """
    # Each phase compiles losses of its own, and PyTorch limits how many a process may hold.
    torch.compiler.reset()
    losses: dict[int, ScaleLoss] = {}
    shape = recipe.model.shape
    # The tasks' crops are shared by the processes; each takes at least one.
    sample = math.ceil(recipe.loss.sample / part.size)
    settings = msgspec.structs.replace(recipe.loss, sample=sample)
    for scale, source in sources.items():
        loss = details_loss(scale, settings, phase.pixel, cubic_unit(source))
        if amx:
            crops = len(range(phase.batch)[part.share(phase.batch)])
            details = AmxDetails(scale, shape, source.size, crops)
            losses[scale] = scale_loss(details, _maybe_compiled(loss, compiled))
        else:
            make = bfloat16_details if device.type == "cuda" else torch_details
            losses[scale] = _maybe_compiled(scale_loss(make(scale, shape, device), loss), compiled)
    objective = Objective(form, losses)
    return objective if part.size == 1 else DistributedDataParallel(objective)


def _maybe_compiled(function: Callable[..., Tensor], compiled: bool) -> Callable[..., Tensor]:
    return torch.compile(function, dynamic=False) if compiled else function

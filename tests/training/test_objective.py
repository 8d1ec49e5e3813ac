"""The loss is what the recipe says."""

import numpy as np
import pytest
import torch

from training.config import Loss
from training.crops import CropSource
from training.form import TrainedForm
from training.losses import TaskWeights
from training.objective import Objective, cubic_unit, details_loss
from training.pairs import Pair
from training.store import pack
from vs_emtcm.shape import Shape

SHAPE = Shape(channels=16, stage1=3, stage2=4)
CPU = torch.device("cpu")


def test_each_stage_counts_by_its_own_weight():
    nothing = TaskWeights(luminance=0, contrast=0, structure=0, distribution=0)
    loss = details_loss(2, Loss(stage1=0.25, stage2=1.0, tasks=nothing, sample=1), "charbonnier", 0.5)
    low, high = torch.full((3, 1, 20, 20), 0.5), torch.full((3, 1, 40, 40), 0.5)
    # The first stage is off by 0.1 everywhere, the second, of a smaller picture, by 0.3.
    details = torch.full((3, 4, 12, 12), 0.1), torch.full((3, 4, 6, 6), -0.3)
    whole, pixels = loss(details, low, high)
    assert float(whole) == pytest.approx((0.25 * 0.1 + 0.3) / 0.5, rel=1e-3)
    assert float(pixels) == pytest.approx((0.25 * 0.1 + 0.3) / 0.5 / 1.25, rel=1e-3)


def test_every_scale_has_the_same_say():
    losses = {2: lambda *_: torch.tensor([1.0, 2.0]), 3: lambda *_: torch.tensor([3.0, 6.0])}
    objective = Objective(TrainedForm((2, 3), SHAPE, None, ()), losses)
    batch = torch.zeros(1), torch.zeros(1)
    torch.testing.assert_close(objective({2: batch, 3: batch}), torch.tensor([2.0, 4.0]))


def source_of(low, high):
    return CropSource(pack([Pair(scale=2, low=low, high=high)])[2], 24, CPU)


def test_the_unit_of_a_loss_is_what_interpolation_misses_and_a_code_value():
    flat = np.full((64, 64), 90, np.uint8)
    # Interpolation misses nothing of it but the thousandth that Charbonnier's error begins with.
    assert cubic_unit(source_of(flat[::2, ::2], flat)) == pytest.approx(1 / 1000 + 1 / 255, rel=1e-3)
    # Of lines of one pixel, their mean is left.
    lines, mean = np.tile(np.uint8([0, 255]), (64, 32)), np.full((32, 32), 128, np.uint8)
    assert cubic_unit(source_of(mean, lines)) == pytest.approx(0.5 + 1 / 255, rel=5e-3)

"""Steps draw their own crops and follow gradients of a limited length."""

import pytest
import torch

from tests.training.runs import PAIRS, phase, recipe, steps
from training.config import Loss
from training.crops import CropSource
from training.losses import TaskWeights
from training.optimizers import Optimizers
from training.run import Run


def test_every_scale_and_step_has_random_numbers_of_its_own(tmp_path, monkeypatch):
    drawn, choose = [], CropSource.choose

    def watched(source, rng, batch):
        choice = choose(source, rng, batch)
        drawn.append(tuple(choice.place.flatten().tolist()))
        return choice

    run = Run(recipe((phase(scales=(2, 3, 4)),)), tmp_path)
    stepper = run.stepper({s: CropSource(PAIRS[s], 24, torch.device("cpu")) for s in (2, 3, 4)})
    monkeypatch.setattr(CropSource, "choose", watched)
    for _ in range(2):
        run.train_step(stepper)
    assert len(set(drawn)) == len(drawn) == 6


def test_no_step_follows_a_gradient_that_is_longer_than_one(tmp_path, monkeypatch):
    lengths = []
    update = Optimizers.update

    def watched(optimizers):
        lengths.append(torch.cat([p.grad.flatten() for p in run.trained.values()]).norm().item())
        update(optimizers)

    monkeypatch.setattr(Optimizers, "update", watched)
    tasks = TaskWeights(luminance=100, contrast=100, structure=100, distribution=10)
    run = Run(recipe((phase(),), loss=Loss(stage1=50, stage2=50, tasks=tasks, sample=2)), tmp_path)
    steps(run, 2)
    assert lengths == pytest.approx([1, 1], rel=1e-3)

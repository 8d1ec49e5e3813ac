"""Runs start from other runs and from weights files."""

import torch

from tests.training.runs import phase, recipe, trained
from training.checkpoint import CHECKPOINT
from training.loop import WEIGHTS
from training.run import Run


def test_a_run_starts_from_another_ones_average(tmp_path):
    first = trained(tmp_path / "first")
    settings = recipe((phase(),), scales=(2, 3, 4), seed=9)
    second = Run(settings, tmp_path / "second", start=tmp_path / "first" / CHECKPOINT)
    assert (second.step, second.held) == (0, {2, 3, 4})
    for name, value in second.form.state_dict().items():
        torch.testing.assert_close(value, first.average[name])


def test_a_run_starts_from_a_weights_file(tmp_path):
    first = trained(tmp_path / "first")
    settings = recipe((phase(),), scales=(2, 3, 4), seed=9)
    second = Run(settings, tmp_path / "second", start=tmp_path / "first" / WEIGHTS)
    assert second.held == {2, 3, 4}
    x = torch.rand(1, 1, 30, 30)
    for scale in (2, 3, 4):
        torch.testing.assert_close(second.form.deployed(scale)(x), first.averaged().deployed(scale)(x))

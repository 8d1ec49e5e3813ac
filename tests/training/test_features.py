"""Features matter as far as they are taken."""

import numpy as np
import pytest
import torch

from tests.training.wide import RECIPE, SOURCE, WIDE, wide_form
from training.features import fade, feature_groups, importance, narrowed
from training.kernels import kernel_names
from training.narrow import judgement
from vs_emtcm.network import Network
from vs_emtcm.shape import Shape


@pytest.mark.parametrize("stage2", [1, 2, 3, 6])
def test_every_layer_makes_features_of_one_group_and_every_kernel_takes_those_of_one(stage2):
    shape = Shape(channels=6, stage1=2, stage2=stage2)
    groups = feature_groups(shape)
    makers = sorted(maker for group in groups for maker in group.makers)
    takers = sorted(taker for group in groups for taker in group.takers)
    assert makers == sorted(name for name in kernel_names(shape) if not name.startswith("estimate"))
    assert takers == sorted(name for name in kernel_names(shape) if name != "head")


def test_without_features_that_nothing_takes_the_result_is_the_same():
    form, groups = wide_form(), feature_groups(WIDE)
    kept = [sorted(np.random.default_rng(i).permutation(6)[:4].tolist()) for i in range(len(groups))]
    for group, features in zip(groups, kept, strict=True):
        fade(form, 2, group, set(range(6)) - set(features), 0.0)
    small = Network(2, Shape(channels=4, stage1=2, stage2=3))
    small.load_state_dict(narrowed(form.collapse(2), groups, kept))
    x = torch.rand(1, 1, 30, 30)
    for ours, theirs in zip(small.estimates(x), form.deployed(2).estimates(x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_features_matter_as_far_as_they_are_taken():
    form, groups = wide_form(), feature_groups(WIDE)
    for group in groups:
        fade(form, 2, group, (1, 4), 0.0)
        fade(form, 2, group, (2,), 1e-3)
    low, high = SOURCE.draw(np.random.default_rng(0), 3)
    for values in importance(form.deployed(2), groups, low, high, judgement(RECIPE, 2)):
        assert values[1] == values[4] == 0
        assert 0 < values[2] < values[[0, 3, 5]].min()

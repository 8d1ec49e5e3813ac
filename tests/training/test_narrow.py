"""A narrower network is what is left of a wider one."""

import msgspec
import numpy as np
import pytest
import torch

from tests.conftest import codes
from training.cache import clean_pair, pack
from training.config import Loss, Model, Optimizer, Phase, Recipe, Schedule, Size
from training.crops import CropSource
from training.form import TrainedForm, kernel_names
from training.losses import TaskWeights
from training.narrow import (
    NarrowError,
    fade,
    feature_groups,
    importance,
    judgement,
    narrow,
    narrowed,
    without_layer,
)
from vs_emtcm.models import Weights
from vs_emtcm.network import Network
from vs_emtcm.shape import Shape

WIDE = Shape(channels=6, stage1=2, stage2=3)
SOURCE = CropSource(pack([clean_pair(codes(160, 160), 2)])[2], 32, torch.device("cpu"))
RECIPE = Recipe(
    model=Model(name="tiny", tune="clean", size=Size(channels=4, stage1=2, stage2=2)),
    optimizer=Optimizer(name="soap", vector_rate=0.3),
    schedule=Schedule(warmup=2, ema=0.9, seed=3, evaluate_every=3, checkpoint_every=3),
    loss=Loss(stage1=0.5, tasks=TaskWeights(luminance=0, contrast=0, structure=0, distribution=0), sample=1),
    phases=(Phase(scales=(2,), steps=3, batch=2, crop=32, learning_rate=3e-3),),
)


def wide_form(shape: Shape = WIDE) -> TrainedForm:
    torch.manual_seed(1)
    form = TrainedForm((2,), shape, None, ())
    with torch.no_grad():
        for parameter in form.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return form


def narrow_to(shape: Shape, weights: Weights, **options) -> TrainedForm:
    size = Size(channels=shape.channels, stage1=shape.stage1, stage2=shape.stage2)
    recipe = msgspec.structs.replace(RECIPE, model=msgspec.structs.replace(RECIPE.model, size=size))
    options = {"rounds": 2, "fading": 4, "settling": 3, "advance": lambda _done, _loss: None} | options
    return narrow(recipe, weights, SOURCE, **options, compiled=False, amx=False)


def weights_of(form: TrainedForm, shape: Shape = WIDE) -> Weights:
    tensors = {name: value.detach().numpy() for name, value in form.collapse(2).items()}
    return Weights(scale=2, shape=shape, tune="clean", tensors=tensors)


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


def test_without_a_layer_that_is_the_identity_the_result_is_the_same():
    form = wide_form()
    with torch.no_grad():
        kernel = form.kernels(2)["body2.1"]
        kernel.assign(torch.eye(6)[:, :, None, None] * torch.tensor([[0, 0, 0], [0, 1, 0], [0, 0, 0]]))
        layer = form.scale_form(2).activations["body2/1"]
        layer.bias.zero_()
        layer.slope.fill_(1)
    shorter = Network(2, Shape(channels=6, stage1=2, stage2=2))
    shorter.load_state_dict(without_layer(form.collapse(2), 1))
    x = torch.rand(1, 1, 30, 30)
    wanted = form.deployed(2).estimates(x)[1]
    torch.testing.assert_close(shorter.estimates(x)[1][..., 2:-2, 2:-2], wanted, rtol=0, atol=1e-5)


def test_a_network_becomes_one_of_the_recipes_shape():
    form = narrow_to(Shape(channels=4, stage1=2, stage2=2), weights_of(wide_form()))
    assert form.shape == Shape(channels=4, stage1=2, stage2=2)
    assert all(bool(value.isfinite().all()) for value in form.state_dict().values())
    assert [len(layer.slope) for layer in form.scale_form(2).activations.values()] == [4] * 5


def test_the_loss_of_every_twenty_steps_is_told():
    told = []
    shape = Shape(channels=4, stage1=2, stage2=3)
    options = {"fading": 15, "settling": 10, "advance": lambda done, loss: told.append((done, loss > 0))}
    narrow_to(shape, weights_of(wide_form()), **options)
    assert told == [(20, True), (25, True), (45, True), (50, True)]


@pytest.mark.parametrize(
    "shape", [WIDE, Shape(channels=8, stage1=2, stage2=3), Shape(channels=4, stage1=1, stage2=3)]
)
def test_networks_that_are_not_smaller_are_refused(shape):
    with pytest.raises(NarrowError, match="give a wider network with as long a stage 1"):
        narrow_to(shape, weights_of(wide_form()))

"""A narrower network is what is left of a wider one."""

import msgspec
import pytest

from tests.training.wide import RECIPE, SOURCE, WIDE, wide_form
from training.config import Size
from training.form import TrainedForm
from training.narrow import NarrowError, narrow
from vs_emtcm.shape import Shape
from vs_emtcm.weights_file import Weights


def narrow_to(shape: Shape, weights: Weights, **options) -> TrainedForm:
    size = Size(channels=shape.channels, stage1=shape.stage1, stage2=shape.stage2)
    recipe = msgspec.structs.replace(RECIPE, model=msgspec.structs.replace(RECIPE.model, size=size))
    options = {"rounds": 2, "fading": 4, "settling": 3, "advance": lambda _done, _loss: None} | options
    return narrow(recipe, weights, SOURCE, **options, compiled=False, amx=False)


def weights_of(form: TrainedForm, shape: Shape = WIDE) -> Weights:
    tensors = {name: value.detach().numpy() for name, value in form.collapse(2).items()}
    return Weights(scale=2, shape=shape, tune="clean", tensors=tensors)


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
    size = rf"{shape.channels} channels and {shape.stage1} \+ {shape.stage2} layers"
    wanted = f"a network of {size} cannot be made of one of .*; give a wider network with as long a stage 1"
    with pytest.raises(NarrowError, match=wanted):
        narrow_to(shape, weights_of(wide_form()))

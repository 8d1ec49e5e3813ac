"""The trained form collapses into the deployed form exactly."""

import pytest
import torch
from torch.func import functional_call
from torch.nn import functional as F

from tests.training.forms import SHAPE, SHARED, random_form
from training.form import TrainedForm
from training.kernels import kernel_names
from training.subpixels import subpixel_interpolation
from vs_emtcm.errors import UsageError
from vs_emtcm.models import find
from vs_emtcm.network import Network, crop
from vs_emtcm.shape import Shape
from vs_emtcm.weights_file import load_weights


@pytest.fixture(params=[None, 200], ids=["plain", "wide"])
def form(request):
    return random_form(request.param)


def test_a_wide_form_takes_a_shipped_network_as_it_is():
    weights = load_weights(find("base", "clean").path, 2)
    shipped = {f"x2/{name}": torch.from_numpy(value) for name, value in weights.tensors.items()}
    wide = TrainedForm((2,), weights.shape, 64, ())
    wide.assign(shipped)
    for name, value in wide.collapse(2).items():
        torch.testing.assert_close(value, shipped[f"x2/{name}"], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("width", [None, 64], ids=["plain", "wide"])
def test_a_network_starts_near_the_identity_and_adds_little(width):
    torch.manual_seed(0)
    channels = 24
    form = TrainedForm((2,), Shape(channels=channels, stage1=2, stage2=3), width, ())
    spreads = {"head": 1.0, "estimate1": 0.1, "estimate2": 0.1}
    for name, kernel in form.kernels(2).items():
        values = kernel().detach()
        diagonal = values[..., values.shape[-2] // 2, values.shape[-1] // 2].diagonal().clone()
        assert float(diagonal.mean()) == pytest.approx(0 if name in spreads else 1, abs=0.25)
        if name not in spreads:
            values[range(channels), range(channels), 1, 1] -= 1
        # Beside the identity, a part of what He takes for a ReLU.
        he = (2 / values[0].numel()) ** 0.5
        assert float(values.std()) == pytest.approx(spreads.get(name, 0.5) * he, rel=0.2)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_deployed_network_has_every_weight(form, scale):
    network = form.deployed(scale).double()
    names = {n.removesuffix(".conv.weight").removesuffix(".weight") for n in network.state_dict()}
    assert set(kernel_names(SHAPE)) <= names
    x = torch.rand(1, 1, 40, 40, dtype=torch.float64)
    trained = functional_call(network, form.collapse(scale), (x,))
    torch.testing.assert_close(trained, network(x), atol=1e-5, rtol=0)


def test_the_file_holds_shared_kernels_once_and_every_scale(form):
    tensors = form.file_tensors((2, 3, 4))
    assert {n for n in tensors if n.startswith("shared/")} == {"shared/body1.0.conv.weight"}
    for scale in (2, 3, 4):
        own = {n.partition("/")[2]: t for n, t in tensors.items() if n.startswith(("shared/", f"x{scale}/"))}
        assert set(own) == set(Network(scale, SHAPE).state_dict())


def test_a_file_of_some_scales_has_nothing_of_the_others(form):
    tensors = form.file_tensors((2, 4))
    assert {name.partition("/")[0] for name in tensors} == {"shared", "x2", "x4"}
    other = TrainedForm((2, 3, 4), SHAPE, None, SHARED).double()
    assert other.assign(tensors) == {2, 4}


def test_a_form_that_shares_nothing_can_start_from_a_file_that_does(form):
    alone = TrainedForm((2, 3, 4), SHAPE, None, ()).double()
    assert alone.assign(form.file_tensors((2, 3, 4))) == {2, 3, 4}
    for scale in (2, 3, 4):
        wanted = form.collapse(scale)
        for name, value in alone.collapse(scale).items():
            torch.testing.assert_close(value, wanted[name], atol=1e-5, rtol=1e-5)


def test_a_form_that_shares_other_kernels_than_a_file_takes_those_of_its_first_scale(form):
    other = TrainedForm((2, 3, 4), SHAPE, None, ("body2.0", "body2.1")).double()
    other.assign(form.file_tensors((2, 3, 4)))
    for scale in (2, 3, 4):
        first, own = form.collapse(2), form.collapse(scale)
        for name, value in other.collapse(scale).items():
            wanted = first if name.startswith("body2") and name.endswith("weight") else own
            if not name.startswith("estimate2.bias"):  # follows from all the others
                torch.testing.assert_close(value, wanted[name], atol=1e-5, rtol=1e-5)


def test_kernels_that_differ_between_scales_cannot_be_shared():
    with pytest.raises(UsageError, match=r"'estimate1' cannot be shared; accepted are head, body1\.0"):
        TrainedForm((2, 3), SHAPE, None, ("estimate1",))


def test_gradients_reach_every_weight(form):
    x = torch.rand(1, 1, 40, 40, dtype=torch.float64)
    for scale in (2, 3, 4):
        network = Network(scale, SHAPE).double()
        for stages in (1, 2):
            network.stages = stages
            functional_call(network, form.collapse(scale), (x,)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in form.parameters())


@pytest.mark.parametrize("target", [3, 4])
def test_a_scale_that_starts_from_another_adds_the_same_detail(form, target):
    form.start_scale(target, 2)
    for name in ("head", "body1.1", "body2.0"):
        known, wanted = (form.kernels(scale)[name].state_dict() for scale in (2, target))
        assert all(torch.equal(wanted[key], value) for key, value in known.items())
    x = torch.rand(1, 1, 40, 40, dtype=torch.float64)
    details = {}
    for scale in (2, target):
        network = Network(scale, SHAPE).double()
        network.load_state_dict(form.collapse(scale))
        # Without the fixed interpolation, which knows each scale's sub-pixels better.
        network.cubic.zero_()
        details[scale] = [
            F.pixel_unshuffle(e, scale) - crop(x, (x.shape[-1] - e.shape[-1] // scale) // 2)
            for e in network.estimates(x)
        ]
    spread = subpixel_interpolation(2, target).double()
    for known, wanted in zip(details[2], details[target], strict=True):
        torch.testing.assert_close(wanted, torch.einsum("ab,nbij->naij", spread, known), atol=1e-4, rtol=0)

"""The details that are trained are those of the deployed network."""

import pytest
import torch

from tests.material import codes
from training.details import bfloat16_details, torch_details
from training.form import TrainedForm
from vs_emtcm.network import Network
from vs_emtcm.shape import Shape

SHAPE = Shape(channels=16, stage1=3, stage2=4)
CPU = torch.device("cpu")


def gradients(details, form, low):
    form.zero_grad()
    results = details(form.collapse(2), low)
    sum(r.square().mean() for r in results).backward()
    return results, {n: p.grad.clone() for n, p in form.named_parameters()}


@pytest.fixture
def case():
    torch.manual_seed(0)
    form = TrainedForm((2,), SHAPE, None, ())
    low = torch.stack([torch.from_numpy(codes(40, 40, seed=i).copy())[None] for i in range(4)]).float() / 255
    return form, low


def test_torch_computes_what_the_network_does(case):
    form, low = case
    network = Network(2, SHAPE)
    network.load_state_dict(form.collapse(2))
    for given, expected in zip(
        torch_details(2, SHAPE, CPU)(form.collapse(2), low), network.details(low), strict=True
    ):
        torch.testing.assert_close(given, expected)


def test_bfloat16_is_within_a_fraction_of_a_code_value_and_its_gradient_has_the_same_direction(case):
    form, low = case
    results, exact = gradients(torch_details(2, SHAPE, CPU), form, low)
    rounded, near = gradients(bfloat16_details(2, SHAPE, CPU), form, low)
    for given, expected in zip(rounded, results, strict=True):
        assert given.dtype == torch.float32
        assert float((given - expected).detach().square().mean().sqrt()) * 255 < 0.15
    for name, gradient in exact.items():
        assert float(torch.cosine_similarity(near[name].flatten(), gradient.flatten(), dim=0)) > 0.99, name

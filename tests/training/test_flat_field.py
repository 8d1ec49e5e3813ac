"""Flat fields stay flat."""

import pytest
import torch

from tests.training.forms import SHAPE, random_form
from vs_emtcm.network import Network


@pytest.fixture(params=[None, 200], ids=["plain", "wide"])
def form(request):
    return random_form(request.param)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("level", [0.0, 0.1, 0.5, 1.0])
def test_a_flat_field_stays_flat_whatever_the_weights(form, scale, level):
    network = Network(scale, SHAPE).double()
    network.load_state_dict(form.collapse(scale))
    x = torch.full((1, 1, 7, 7), level, dtype=torch.float64)
    for stages in (1, 2):
        network.stages = stages
        torch.testing.assert_close(network(x), torch.full_like(network(x), level))

"""One plan of an engine, for whoever builds it ahead and for whoever runs it."""

import pytest
import torch

from trt_build import Profile
from vs_emtcm.engines.load import load_network
from vs_emtcm.engines.tensorrt_plan import PROFILE, plan_engine
from vs_emtcm.errors import UsageError
from vs_emtcm.models import find
from vs_emtcm.weights_file import load_weights

WEIGHTS = load_weights(find("base", "video").path, 2)


def plan(**options):
    return plan_engine(WEIGHTS, 1, model="base-video", targets=("sm89",), **options)


def test_a_plan_has_the_border_of_its_network():
    found, network = plan(), load_network(WEIGHTS, 1)
    assert found.radius == network.radius
    border = 2 * network.radius
    assert found.spec.profile.optimum == tuple(side + border for side in PROFILE.optimum)
    x = torch.rand(1, 1, 40 + border, 48 + border)
    with torch.inference_mode():
        assert found.module(x).shape == (1, 4, 40, 48)


def test_equal_plans_are_the_same_engine_and_others_are_not():
    assert plan().spec == plan().spec
    smaller = Profile(minimum=(16, 16), optimum=(64, 64), maximum=(128, 128))
    assert plan(profile=smaller).spec != plan().spec
    assert plan(precision="fp32").spec != plan().spec


@pytest.mark.parametrize("sides", [(1, 64), (16, 16_384)])
def test_sizes_that_no_engine_has_are_refused(sides):
    smallest, largest = sides
    profile = Profile(minimum=(smallest, 16), optimum=(64, 64), maximum=(128, largest))
    with pytest.raises(UsageError, match="accepted are sizes from 2x2 to"):
        plan(profile=profile)

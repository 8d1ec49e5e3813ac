"""The wide form collapses into the deployed form exactly, and flat fields stay flat."""

import pytest
import torch
from torch.nn import functional as F

from training.wide import WideKernel, WideNetwork
from vs_emtcm.network import Network, Shape

SHAPE = Shape(channels=6, stage1=2, stage2=3)


@pytest.fixture
def wide():
    torch.manual_seed(0)
    network = WideNetwork((2, 3, 4), SHAPE, width=24)
    # Away from the special values of initialisation.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network.double()


@pytest.mark.parametrize("identity", [True, False])
def test_a_kernel_is_its_chain_of_convolutions(identity):
    torch.manual_seed(1)
    kernel = WideKernel(5, 5, 3, 32, identity).double()
    x = torch.rand(2, 5, 9, 9, dtype=torch.float64)
    chain = F.conv2d(F.conv2d(x, kernel.expand), kernel.project[:, :, None, None])
    if identity:
        chain = chain + x[..., 1:-1, 1:-1]
    torch.testing.assert_close(F.conv2d(x, kernel()), chain)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_deployed_network_computes_what_was_trained(wide, scale):
    x = torch.rand(1, 1, 40, 40, dtype=torch.float64)
    plain = Network(scale, SHAPE).double()
    plain.load_state_dict(wide.collapse(scale))
    for trained, deployed in zip(wide(x, scale), plain.estimates(x), strict=True):
        torch.testing.assert_close(trained, deployed)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("level", [0.0, 0.1, 0.5, 1.0])
def test_a_flat_field_stays_flat_whatever_the_weights(wide, scale, level):
    plain = Network(scale, SHAPE).double()
    plain.load_state_dict(wide.collapse(scale))
    x = torch.full((1, 1, 7, 7), level, dtype=torch.float64)
    for stages in (1, 2):
        plain.stages = stages
        torch.testing.assert_close(plain(x), torch.full_like(plain(x), level))


def test_scales_share_the_body_of_the_first_stage_but_for_its_last_layer(wide):
    tensors = wide.file_tensors()
    shared = {name for name in tensors if name.startswith("shared/")}
    assert shared == {f"shared/{n}.conv.weight" for n in ("body1.0",)}
    for scale in (2, 3, 4):
        own = {n.partition("/")[2]: t for n, t in tensors.items() if n.startswith(("shared/", f"x{scale}/"))}
        assert set(own) == set(Network(scale, SHAPE).state_dict())


def test_gradients_reach_every_weight(wide):
    for scale in (2, 3, 4):
        first, second = wide(torch.rand(1, 1, 40, 40, dtype=torch.float64), scale)
        (first.square().mean() + second.square().mean()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in wide.parameters())

"""The deployed network is what it says: convolutions at low resolution whose borders do not show."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from vs_emtcm import models
from vs_emtcm.network import Network, crop, cubic_difference_kernel
from vs_emtcm.shape import Shape, macs_per_pixel, receptive_radius
from vs_emtcm.weights_file import load_weights

SMALL = Shape(channels=4, stage1=2, stage2=3)


def random_network(scale: int, stages: int = 2) -> Network:
    torch.manual_seed(scale)
    return Network(scale, SMALL, stages).eval()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_cubic_kernel_interpolates_like_torchs_own_bicubic_of_a_line(scale):
    # PyTorch's bicubic uses a = -0.75; on a straight line every cubic gives the line.
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(9.0), indexing="ij")
    plane = (2 * x - 3 * y)[None, None]
    detail = F.conv2d(plane, cubic_difference_kernel(scale))
    result = F.pixel_shuffle(crop(plane, 2) + detail, scale)
    expected = F.interpolate(plane, scale_factor=scale, mode="bilinear", align_corners=False)
    torch.testing.assert_close(result, crop(expected, 2 * scale), atol=1e-4, rtol=0)


def test_cubic_kernel_has_the_published_weights_of_a_half_pixel_shift():
    # Keys' kernel at the positions of 2x: (-9, 111, 29, -3) / 128 for a quarter pixel.
    row = cubic_difference_kernel(2)[3, 0].sum(dim=0)
    expected = torch.tensor([0, -9, 111 - 128, 29, -3]) / 128
    torch.testing.assert_close(row, expected)


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("scale", [2, 3, 4])
@given(height=st.integers(1, 9), width=st.integers(1, 9))
def test_any_size_comes_out_scale_times_as_large(scale, stages, height, width):
    with torch.inference_mode():
        result = random_network(scale, stages)(torch.rand(1, 1, height, width))
    assert result.shape == (1, 1, scale * height, scale * width)


@pytest.mark.parametrize("stages", [1, 2])
def test_radius_is_exactly_how_far_a_pixel_reaches(stages):
    network = random_network(2, stages)
    radius = receptive_radius(SMALL, stages)
    x = torch.rand(1, 1, 41, 41, requires_grad=True)
    network(x)[0, 0, 40:42, 40:42].sum().backward()
    assert x.grad is not None
    rows = x.grad[0, 0].abs().sum(dim=1).nonzero().flatten()
    assert (rows.min(), rows.max()) == (20 - radius, 20 + radius)


def test_one_stage_is_the_first_estimate_of_two():
    two = random_network(3)
    one = Network(3, SMALL, 1)
    one.load_state_dict({k: v for k, v in two.state_dict().items() if k in one.state_dict()})
    x = torch.rand(1, 1, 30, 30)
    first, _ = two.estimates(x)
    torch.testing.assert_close(one.estimates(x)[0], first)


def test_unknown_stages_are_refused():
    with pytest.raises(ValueError, match="stages is 3; accepted are 1 and 2"):
        Network(2, SMALL, 3)


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_cost_is_the_multiplications_that_the_convolutions_do(scale, stages):
    network = random_network(scale, stages)
    counted = network.cubic.numel()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            counted += module.weight.numel()
    assert macs_per_pixel(SMALL, scale, stages) == counted


@pytest.mark.parametrize("model", models.SHIPPED, ids=lambda m: f"{m.name}-{m.tune}")
@pytest.mark.parametrize("stages", [1, 2])
def test_shipped_models_cost_what_they_may(model, stages):
    weights = load_weights(model.path, 2)
    gmac = macs_per_pixel(weights.shape, 2, stages) * 640 * 360 / 1e9
    most = {"base": {1: 2.4, 2: 6.0}, "large": {1: 9.0, 2: 25.0}}
    assert gmac <= most[model.name][stages]

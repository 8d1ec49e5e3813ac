"""Half precision holds what is added to a picture; the picture stays as it was."""

import numpy as np
import pytest
import torch

from tests.material import codes
from vs_emtcm import models
from vs_emtcm.engines.half import to_half
from vs_emtcm.engines.load import load_network
from vs_emtcm.mirror import mirrored
from vs_emtcm.network import DetailNetwork, assemble_at_once
from vs_emtcm.weights_file import load_weights

WEIGHTS = load_weights(models.find("base", "clean").path, 2)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("model", models.SHIPPED, ids=lambda model: f"{model.name}-{model.tune}")
def test_half_precision_stays_within_the_rounding_of_the_samples(model, scale, bits):
    weights = load_weights(model.path, scale)
    network = load_network(weights, 2)
    picture = codes(72, 96, bits=bits).astype(np.float32) / (255 << (bits - 8))
    x = mirrored(torch.from_numpy(picture)[None, None], network.radius)
    with torch.inference_mode():
        expected = network.estimates(x)[-1]
        half = DetailNetwork(network).half()
        result = assemble_at_once(x, half(to_half(x)), scale)
    full = 255 << (bits - 8)
    difference = ((result * full).round() - (expected * full).round()).abs()
    # The picture is far sharper than film: its details, and so the errors, are far larger.
    assert float((difference <= 1 << (bits - 8)).float().mean()) >= 0.999
    assert float(difference.max()) <= 2 << (bits - 8)


def test_half_precision_keeps_12_bit_levels_of_a_flat_field():
    network = load_network(WEIGHTS, 2)
    half = DetailNetwork(network).half()
    for level in (0.0, 257 / 4095, 0.5, 3751 / 4095, 1.0):
        x = torch.full((1, 1, 40, 40), level)
        with torch.inference_mode():
            result = assemble_at_once(x, half(to_half(x)), 2)
        assert float((result - level).abs().max()) * 4095 < 0.5


def test_half_precision_of_extreme_pictures_is_finite():
    network = load_network(WEIGHTS, 2)
    half = DetailNetwork(network).half()
    y, x = torch.meshgrid(torch.arange(60), torch.arange(60), indexing="ij")
    checkers = ((x + y) % 2).float()[None, None] * 3 - 1
    with torch.inference_mode():
        for picture in (checkers, torch.zeros(1, 1, 60, 60), torch.full((1, 1, 60, 60), 2.0)):
            assert assemble_at_once(picture, half(to_half(picture)), 2).isfinite().all()


@pytest.mark.parametrize("scale", models.SCALES)
@pytest.mark.parametrize("model", models.SHIPPED, ids=lambda model: f"{model.name}-{model.tune}")
def test_half_precision_of_1_bit_noise_is_finite(model, scale):
    # Nothing is farther from what a network was trained on; one that was trained too hard explodes.
    noise = np.random.default_rng(0).integers(0, 2, (1, 1, 300, 400))
    half = DetailNetwork(load_network(load_weights(model.path, scale), 2)).half()
    picture = torch.from_numpy(noise).float()
    with torch.inference_mode():
        result = assemble_at_once(picture, half(to_half(picture)), scale)
    assert float(result.abs().max()) < 50


@pytest.mark.parametrize("value", [1e5, -1e30, 200.0])
def test_a_sample_far_out_of_range_stays_alone(value):
    network = load_network(WEIGHTS, 2)
    half = DetailNetwork(network).half()
    picture = torch.full((1, 1, 60, 60), 0.25)
    picture[..., 30, 30] = value
    with torch.inference_mode():
        result = assemble_at_once(picture, half(to_half(picture)), 2)
    assert result.isfinite().all()
    assert float((result[..., :4, :4] - 0.25).abs().max()) < 1e-3

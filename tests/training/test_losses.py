"""Every task is zero for a perfect result and notices what it is for."""

import math

import pytest
import torch

from training.losses import (
    ROUNDING,
    TaskWeights,
    charbonnier,
    distribution_divergence,
    local_histograms,
    log_error,
    multi_task_loss,
    ssim_terms,
)
from training.metrics import psnr


@pytest.fixture
def truth():
    return torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.3 + 0.3


def test_a_perfect_result_costs_nothing(truth):
    luminance, contrast, structure = ssim_terms(truth, truth)
    assert max(abs(float(t)) for t in (luminance, contrast, structure)) < 1e-5
    assert float(distribution_divergence(truth, truth)) == pytest.approx(0, abs=1e-6)
    assert float(charbonnier(truth, truth)) == pytest.approx(1e-3)


def test_each_ssim_term_notices_its_own_fault(truth):
    brighter = ssim_terms(truth + 0.2, truth)
    assert brighter[0] > 0.01 > max(brighter[1], brighter[2])
    mean = truth.mean()
    flatter = ssim_terms(mean + (truth - mean) * 0.3, truth)
    assert flatter[1] > 0.1 > flatter[2]
    shuffled = ssim_terms(truth.flip(3), truth)
    assert shuffled[2] > 0.5 > shuffled[1]


def test_histograms_are_distributions(truth):
    histograms = local_histograms(truth, truth.mean())
    torch.testing.assert_close(histograms.sum(dim=1), torch.ones(2, 4, 4))
    assert (histograms >= 0).all()


def test_the_distribution_notices_lost_values_but_not_their_order(truth):
    blocks = truth.unfold(2, 8, 8).unfold(3, 8, 8)
    turned = blocks.flip(-1).permute(0, 1, 2, 4, 3, 5).reshape(truth.shape)
    assert float(distribution_divergence(turned, truth)) == pytest.approx(0, abs=1e-5)
    assert float(distribution_divergence(torch.full_like(truth, 0.45), truth)) > 0.5


def test_tasks_add_up_by_their_weights(truth):
    result = (truth + 0.05 * torch.randn(truth.shape)).requires_grad_()
    nothing = TaskWeights(luminance=0, contrast=0, structure=0, distribution=0)
    alone, pixels = multi_task_loss(result, truth, "charbonnier", nothing, 2, 0.5)
    assert alone == pixels == 2 * charbonnier(result, truth)
    weights = TaskWeights(luminance=1, contrast=2, structure=3, distribution=4)
    luminance, contrast, structure = ssim_terms(result, truth)
    expected = charbonnier(result, truth) + luminance + 2 * contrast + 3 * structure
    expected = expected + 4 * distribution_divergence(result, truth)
    whole, pixels = multi_task_loss(result, truth, "charbonnier", weights, 2, 1.0)
    torch.testing.assert_close(whole, expected)
    assert pixels == charbonnier(result, truth)
    logarithmic, pixels = multi_task_loss(result, truth, "log", weights, 2, 1.0)
    torch.testing.assert_close(logarithmic - pixels, expected - charbonnier(result, truth))
    assert pixels == log_error(result, truth)


def test_other_tasks_look_at_as_many_crops_as_the_recipe_says(truth):
    spoiled = truth.clone()
    spoiled[1] = 0.5
    weights = TaskWeights(luminance=1, contrast=1, structure=1, distribution=1)
    of_one, of_both = (
        multi_task_loss(spoiled, truth, "charbonnier", weights, sample, 1.0) for sample in (1, 2)
    )
    # The pixel task looks at all of them.
    assert of_one[1] == of_both[1] > 0.01
    assert float(of_one[0] - of_one[1]) == pytest.approx(0, abs=1e-4)
    assert float(of_both[0] - of_both[1]) > 0.5


def test_the_logarithmic_error_is_the_mean_psnr_of_the_crops(truth):
    # One crop with large errors, one with small ones.
    result = truth + torch.tensor([0.1, 0.01])[:, None, None, None] * torch.randn(truth.shape)
    pairs = zip(result[:, 0].numpy() * 255, truth[:, 0].numpy() * 255, strict=True)
    expected = sum(psnr(r, t, 0) for r, t in pairs) / 2
    assert float(log_error(result, truth)) * -40 / math.log(10) == pytest.approx(expected, abs=0.1)
    assert float(log_error(truth, truth)) == pytest.approx(math.log(ROUNDING) / 4)


def test_gradients_are_finite_on_flat_pictures():
    result = torch.full((1, 1, 16, 16), 0.5, requires_grad=True)
    weights = TaskWeights(luminance=1, contrast=1, structure=1, distribution=1)
    loss, _ = multi_task_loss(result, torch.full((1, 1, 16, 16), 0.5), "charbonnier", weights, 1, 1.0)
    loss.backward()
    assert result.grad is not None
    assert result.grad.isfinite().all()

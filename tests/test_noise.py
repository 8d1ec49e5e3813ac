"""Faint detail of the residual is restored, noise is not, and chroma loses its noise as well."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from tests.material import codes, texture
from vs_emtcm import resample
from vs_emtcm.noise import block_means, denoise_chroma, luma_statistics, noise_floor, restore_detail


def plane(values):
    return torch.from_numpy(np.asarray(values)).float()[None, None]


def noise(height, width, spread, seed=0):
    return plane(np.random.default_rng(seed).normal(0, spread, (height, width)))


def mean(x, side):
    """Means of windows of ``side`` x ``side`` samples, edges replicated."""
    return F.avg_pool2d(F.pad(x, (side // 2,) * 4, mode="replicate"), side, stride=1)


@pytest.mark.parametrize("code", [1.0, 257.0, 1 / 219])
def test_chroma_is_what_the_formula_says(code):
    luma, residual, chroma = (
        plane(200 * texture(20, 30)),
        noise(20, 30, 2),
        plane(90 * texture(20, 30, seed=5)),
    )
    cleaned = denoise_chroma(chroma * code, luma_statistics(luma * code, residual * code, code), code) / code
    x, y = (p.double() - p[..., :1, :1].double() for p in (luma, chroma))
    sides = (4,) * 4
    x, y, energy = (F.pad(p, sides, mode="replicate") for p in (x, y, residual.double().square()))
    around = F.avg_pool2d(F.pad(energy, sides, mode="replicate"), 9, stride=1)
    slope_of = mean(x * y, 5) - mean(x, 5) * mean(y, 5)
    slope = slope_of / (mean(x * x, 5) - mean(x, 5) ** 2 + 2)
    rest = (mean(y * y, 5) - mean(y, 5) ** 2 - slope * slope_of).clamp(min=1e-3)
    kept = (1 - (0.5 + 2 * around) / rest).clamp(min=0)
    offset = mean(y, 5) - slope * mean(x, 5)
    expected = mean(slope * (1 - kept), 5) * x + mean(offset * (1 - kept), 5) + mean(kept, 5) * y
    expected = expected[..., 8:-8, 8:-8] + chroma[..., :1, :1]
    torch.testing.assert_close(cleaned[..., 4:-4, 4:-4].double(), expected, rtol=0, atol=0.02)


@given(height=st.integers(1, 12), width=st.integers(1, 12), value=st.integers(0, 65535))
def test_flat_chroma_of_any_size_stays_what_it_is(height, width, value):
    chroma = torch.full((1, 1, height, width), float(value))
    luma = luma_statistics(plane(60000 * texture(height, width)), noise(height, width, 500), 257.0)
    assert torch.equal(denoise_chroma(chroma, luma, 257.0), chroma)


def test_noise_goes_and_edges_stay():
    truth = plane(np.where(np.arange(64) < 32, 90.0, 160.0) * np.ones((48, 1)))
    luma, residual = truth * 0.7, noise(48, 64, 4, seed=1)
    noisy = truth + noise(48, 64, 4, seed=2)
    cleaned = denoise_chroma(noisy, luma_statistics(luma, residual, 1.0), 1.0)
    assert (cleaned - truth).square().mean() < 0.1 * (noisy - truth).square().mean()
    # An edge that luma does not have stays, because it is far above the noise.
    flat = luma_statistics(torch.full_like(luma, 70.0), residual, 1.0)
    beside = denoise_chroma(noisy, flat, 1.0)[..., 30:34]
    assert (beside - truth[..., 30:34]).abs().mean() < 6


@pytest.mark.parametrize("code", [1.0, 257.0, 1 / 219])
@pytest.mark.parametrize(("floor", "strength"), [(1e6, 1), (0.3, 1.5), (0, 2)])
def test_faint_detail_comes_back_and_noise_does_not(code, floor, strength):
    upscaled, denoised = torch.zeros(1, 1, 48, 64), torch.full((1, 1, 24, 32), 90 * code)
    # In a noisy frame a faint residual is restored by half, and one of 3 code values by half of that.
    faint, most = strength * 3.0, strength * 0.5
    for size, share in ((0.1, most), (faint, most / 2), (10 * faint, most / 101)):
        residual = torch.full((1, 1, 24, 32), size * code)
        back = (
            restore_detail(upscaled.clone(), denoised, residual, torch.tensor([floor * code**2]), 2, code)
            / code
        )
        assert back.mean() / size == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize("code", [1.0, 257.0, 1 / 219])
def test_what_comes_back_is_what_the_formula_says(code, monkeypatch):
    denoised, residual, floor = plane(60 * texture(37, 53)), noise(37, 53, 2), 0.7
    # At a scale of one nothing is interpolated.
    monkeypatch.setattr("vs_emtcm.resample.CPU_BAND_SAMPLES", 53 * 7)
    zero = torch.zeros(1, 1, 37, 53)
    back = (
        restore_detail(zero, denoised * code, residual * code, torch.tensor([floor * code**2]), 1, code)
        / code
    )
    b, r = denoised.double(), residual.double()
    variance = mean(b * b, 9) - mean(b, 9) ** 2
    strength = 1 + 1 / ((1 + (floor / 0.3) ** 2) * (1 + variance / 50))
    expected = 0.5 * strength * r / (1 + (r / (3 * strength)) ** 2)
    torch.testing.assert_close(back.double(), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("code", [1.0, 257.0, 1 / 219])
def test_the_floor_is_what_nearly_all_of_a_frame_has(code):
    residual = noise(96, 160, 2)
    # A texture that the network took away, on a third of the frame.
    residual[..., 100:] += noise(96, 60, 9, seed=1)
    floor = noise_floor(residual * code, code) / code**2
    assert floor.shape == (1,)
    assert floor.item() == pytest.approx(4, rel=0.15)
    # Neither flat blocks nor those with NaN or infinity count.
    bars = F.pad(residual, (0, 0, 60, 60), value=0.001)
    bars[..., :8, :] = torch.nan
    bars[..., 8:16, :] = torch.inf
    assert noise_floor(bars * code, code).item() / code**2 == pytest.approx(floor.item(), rel=0.1)


@given(height=st.integers(1, 20), width=st.integers(1, 20))
def test_a_flat_frame_of_any_size_has_no_noise_and_a_noisy_one_has(height, width):
    assert noise_floor(torch.full((1, 1, height, width), 0.05), 1.0).item() == 0
    assert noise_floor(torch.full((1, 1, height, width), 2.0), 1.0).item() == pytest.approx(4)


def test_the_floor_of_a_large_frame_does_not_depend_on_the_default_dtype():
    residual = torch.randn(1, 1, 2160, 3840, generator=torch.Generator().manual_seed(0))
    expected = noise_floor(residual, 1.0)
    default = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float16)
        assert torch.equal(noise_floor(residual, 1.0), expected)
    finally:
        torch.set_default_dtype(default)


def test_the_floor_waits_for_no_value():
    """A CUDA graph can hold it: no shape, and nothing that Python decides, depends on what is in a tensor."""
    with FakeTensorMode():
        assert noise_floor(torch.empty(1, 1, 50, 70), 1.0).shape == (1,)


def test_luma_that_is_no_number_does_not_spread_by_what_comes_back():
    denoised, residual = plane(60 * texture(24, 32)), noise(24, 32, 2)
    denoised[..., 10, 10], denoised[..., 20, 20] = torch.nan, 1e30
    back = restore_detail(torch.zeros(1, 1, 48, 64), denoised, residual, torch.zeros(1), 2, 1.0)
    assert back.isfinite().all()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_reduction_is_the_mean_of_blocks(scale):
    values = codes(6 * scale, 8 * scale).astype(np.float32)
    expected = values.reshape(6, scale, 8, scale).mean((1, 3))
    np.testing.assert_allclose(block_means(plane(values), scale)[0, 0].numpy(), expected, rtol=1e-6)


def test_what_is_lost_to_rounding_far_from_zero_is_not_taken_for_detail():
    """HDR highlights in single precision: the variance of a window is less than its rounding."""
    code, highlight = 1 / 219, np.arange(96) >= 32
    luma, chroma, residual = (
        plane(np.where(highlight, level, 0.1)) + noise(48, 96, 0.002, seed)
        for seed, level in ((0, 300), (1, 300), (2, 0))
    )
    cleaned = denoise_chroma(chroma, luma_statistics(luma, residual, code), code)
    assert (cleaned[..., 40:] - 300).abs().max() < 0.05


def test_bands_change_nothing(monkeypatch):
    chroma, luma = plane(90 * texture(37, 53, seed=5)), plane(200 * texture(37, 53))
    clean = luma_statistics(luma, noise(37, 53, 2), 1.0)
    whole = denoise_chroma(chroma, clean, 1.0)
    monkeypatch.setattr(resample, "CPU_BAND_SAMPLES", 53 * 7)
    torch.testing.assert_close(denoise_chroma(chroma, clean, 1.0), whole, rtol=0, atol=1e-4)

"""Around a network that takes noise away, faint detail comes back and chroma loses its noise as well."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from tests.conftest import codes, texture
from vs_emtcm import PixelFormat, Upscaler, resample
from vs_emtcm.noise import (
    FAINT,
    PLAIN,
    PUT_BACK,
    QUIET,
    clean_luma,
    noise_floor,
    put_back,
    reduced,
    without_noise,
)

GREY = PixelFormat(family="gray")


def plane(values):
    return torch.from_numpy(np.asarray(values)).float()[None, None]


def noise(height, width, spread, seed=0):
    return plane(np.random.default_rng(seed).normal(0, spread, (height, width)))


def mean(x, side):
    """Of windows, edges replicated."""
    return F.avg_pool2d(F.pad(x, (side // 2,) * 4, mode="replicate"), side, stride=1)


@pytest.mark.parametrize("code", [1.0, 257.0, 1 / 219])
def test_chroma_is_what_the_formula_says(code):
    luma, taken, chroma = plane(200 * texture(20, 30)), noise(20, 30, 2), plane(90 * texture(20, 30, seed=5))
    cleaned = without_noise(chroma * code, clean_luma(luma * code, taken * code, code), code) / code
    x, y = (p.double() - p[..., :1, :1].double() for p in (luma, chroma))
    sides = (4,) * 4
    x, y, kept_noise = (F.pad(p, sides, mode="replicate") for p in (x, y, taken.double().square()))
    around = F.avg_pool2d(F.pad(kept_noise, sides, mode="replicate"), 9, stride=1)
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
    luma = clean_luma(plane(60000 * texture(height, width)), noise(height, width, 500), 257.0)
    assert torch.equal(without_noise(chroma, luma, 257.0), chroma)


def test_noise_goes_and_edges_stay():
    truth = plane(np.where(np.arange(64) < 32, 90.0, 160.0) * np.ones((48, 1)))
    luma, taken = truth * 0.7, noise(48, 64, 4, seed=1)
    noisy = truth + noise(48, 64, 4, seed=2)
    cleaned = without_noise(noisy, clean_luma(luma, taken, 1.0), 1.0)
    assert (cleaned - truth).square().mean() < 0.1 * (noisy - truth).square().mean()
    # An edge that luma does not have is far above noise.
    flat = clean_luma(torch.full_like(luma, 70.0), taken, 1.0)
    beside = without_noise(noisy, flat, 1.0)[..., 30:34]
    assert (beside - truth[..., 30:34]).abs().mean() < 6


@pytest.mark.parametrize("code", [1.0, 257.0, 1 / 219])
@pytest.mark.parametrize(("floor", "strength"), [(1e6, 1), (QUIET, 1.5), (0, 2)])
def test_faint_detail_comes_back_and_noise_does_not(code, floor, strength):
    upscaled, before = torch.zeros(1, 1, 48, 64), torch.full((1, 1, 24, 32), 90 * code)
    faint, most = strength * FAINT, strength * PUT_BACK
    for size, share in ((0.1, most), (faint, most / 2), (10 * faint, most / 101)):
        taken = torch.full((1, 1, 24, 32), size * code)
        back = put_back(upscaled.clone(), before, taken, torch.tensor([floor * code**2]), 2, code) / code
        assert back.mean() / size == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize("code", [1.0, 257.0, 1 / 219])
def test_what_comes_back_is_what_the_formula_says(code, monkeypatch):
    before, taken, floor = plane(60 * texture(37, 53)), noise(37, 53, 2), 0.7
    # At a scale of one nothing is interpolated.
    monkeypatch.setattr("vs_emtcm.resample.CPU_ROWS", 53 * 7)
    zero = torch.zeros(1, 1, 37, 53)
    back = put_back(zero, before * code, taken * code, torch.tensor([floor * code**2]), 1, code) / code
    b, r = before.double(), taken.double()
    variance = mean(b * b, 9) - mean(b, 9) ** 2
    strength = 1 + 1 / ((1 + (floor / QUIET) ** 2) * (1 + variance / PLAIN))
    expected = PUT_BACK * strength * r / (1 + (r / (FAINT * strength)) ** 2)
    torch.testing.assert_close(back.double(), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("code", [1.0, 257.0, 1 / 219])
def test_the_floor_is_what_nearly_all_of_a_frame_has(code):
    taken = noise(96, 160, 2)
    # A texture on a third of it.
    taken[..., 100:] += noise(96, 60, 9, seed=1)
    floor = noise_floor(taken * code, code) / code**2
    assert floor.shape == (1,)
    assert floor.item() == pytest.approx(4, rel=0.15)
    # Neither what is flat nor what is no number is part of it.
    bars = F.pad(taken, (0, 0, 60, 60), value=0.001)
    bars[..., :8, :] = torch.nan
    bars[..., 8:16, :] = torch.inf
    assert noise_floor(bars * code, code).item() / code**2 == pytest.approx(floor.item(), rel=0.1)


@given(height=st.integers(1, 20), width=st.integers(1, 20))
def test_a_flat_frame_of_any_size_has_no_noise_and_a_noisy_one_has(height, width):
    assert noise_floor(torch.full((1, 1, height, width), 0.05), 1.0).item() == 0
    assert noise_floor(torch.full((1, 1, height, width), 2.0), 1.0).item() == pytest.approx(4)


def test_the_floor_of_a_large_frame_does_not_depend_on_the_default_dtype():
    taken = torch.randn(1, 1, 2160, 3840, generator=torch.Generator().manual_seed(0))
    expected = noise_floor(taken, 1.0)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float16)
        assert torch.equal(noise_floor(taken, 1.0), expected)
    finally:
        torch.set_default_dtype(before)


def test_the_floor_waits_for_no_value():
    """A CUDA graph can hold it: no shape, and nothing that Python decides, depends on what is in a tensor."""
    with FakeTensorMode():
        assert noise_floor(torch.empty(1, 1, 50, 70), 1.0).shape == (1,)


def upscaled_and_as_if_noisy(upscaler, source, monkeypatch):
    """In code values of 8 bits, as it is and with a floor that nothing is faint beside."""
    results = [upscaler.upscale([source], GREY, bits=16)[0] / 256]
    with monkeypatch.context() as patch:
        patch.setattr("vs_emtcm.noise.noise_floor", lambda *_: torch.tensor([torch.inf]))
        results.append(upscaler.upscale([source], GREY, bits=16)[0] / 256)
    return results


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_faint_texture_comes_back_from_a_clean_frame_and_not_from_a_noisy_one(scale, monkeypatch):
    upscaler = Upscaler(scale)
    truth = 100 + 6 * texture(48 * scale, 64 * scale)
    low = truth.reshape(48, scale, 64, scale).mean((1, 3))
    ours, as_noisy = upscaled_and_as_if_noisy(upscaler, np.round(low).astype(np.uint8), monkeypatch)
    assert np.square(ours - truth).mean() < 0.9 * np.square(as_noisy - truth).mean()
    noisy = low + np.random.default_rng(0).normal(0, 6, low.shape)
    ours, as_noisy = upscaled_and_as_if_noisy(upscaler, np.round(noisy).astype(np.uint8), monkeypatch)
    assert np.abs(ours - as_noisy).max() < 0.1


@pytest.mark.parametrize("spread", [0, 2, 4])
def test_black_bars_change_nothing_of_the_rest(spread):
    upscaler, rng = Upscaler(2), np.random.default_rng(0)
    picture = 60 + 80 * texture(100, 120) + rng.normal(0, spread, (100, 120))
    picture = np.round(picture).astype(np.uint8)
    barred = np.pad(picture, ((53, 53), (0, 0)), constant_values=16)
    alone, between = (upscaler.upscale([source], GREY, bits=16)[0] / 256 for source in (picture, barred))
    # But where the network sees them.
    assert np.abs(between[106:306] - alone)[60:-60].max() < 0.1


def test_luma_that_is_no_number_does_not_spread_by_what_comes_back():
    before, taken = plane(60 * texture(24, 32)), noise(24, 32, 2)
    before[..., 10, 10], before[..., 20, 20] = torch.nan, 1e30
    back = put_back(torch.zeros(1, 1, 48, 64), before, taken, torch.zeros(1), 2, 1.0)
    assert back.isfinite().all()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_low_contrast_picture_is_nearer_to_the_truth_than_by_the_network_alone(scale, monkeypatch):
    truth = np.round(100 + 12 * texture(24 * scale, 32 * scale)).astype(np.float32)
    source = truth.reshape(24, scale, 32, scale).mean((1, 3))
    grey = PixelFormat(family="gray", bits=32, sample_type="float")
    planes = [((source - 16) / 219).astype(np.float32)]
    upscaler = Upscaler(scale)
    ours = upscaler.upscale(planes, grey)[0] * 219 + 16
    monkeypatch.setattr("vs_emtcm.noise.put_back", lambda upscaled, *_: upscaled)
    alone = upscaler.upscale(planes, grey)[0] * 219 + 16
    assert np.square(ours - truth).mean() < 0.9 * np.square(alone - truth).mean()


@pytest.mark.parametrize("family", ["yuv", "rgb"])
def test_only_models_that_take_noise_away_take_it_from_chroma(family):
    rng = np.random.default_rng(0)
    planes = [np.clip(rng.normal(128, 5, (48, 64)), 0, 255).astype(np.uint8) for _ in range(3)]
    if family == "rgb":
        planes = [
            np.clip(planes[0].astype(int) + p.astype(int) - 128, 0, 255).astype(np.uint8) for p in planes
        ]
    spread = {}
    for tune in ("video", "clean"):
        results = Upscaler(2, tune=tune).upscale(planes, PixelFormat(family=family))
        first, _, last = (result.astype(float) for result in results)
        spread[tune] = (last - first if family == "rgb" else last).std()
    assert spread["video"] < 0.6 * spread["clean"]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_reduction_is_the_mean_of_blocks(scale):
    values = codes(6 * scale, 8 * scale).astype(np.float32)
    expected = values.reshape(6, scale, 8, scale).mean((1, 3))
    np.testing.assert_allclose(reduced(plane(values), scale)[0, 0].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("family", ["yuv", "rgb"])
@pytest.mark.parametrize("strange", [np.nan, np.inf, 60000.0])
def test_one_strange_sample_spoils_its_surroundings_alone(family, strange):
    format = PixelFormat(family=family, bits=32, sample_type="float")
    planes = [texture(96, 96, seed=i).astype(np.float32) for i in range(3)]
    upscaler = Upscaler(2, stages=1)
    expected = upscaler.upscale(planes, format)
    planes[0][0, 0] = strange
    for result, wanted in zip(upscaler.upscale(planes, format), expected, strict=True):
        np.testing.assert_allclose(result[100:, 100:], wanted[100:, 100:], atol=1e-3)


def test_values_far_above_white_do_not_explode():
    format = PixelFormat(family="rgb", bits=32, sample_type="float")
    bright = 30 + 0.002 * np.random.default_rng(0).normal(size=(48, 96))
    planes = [np.where(np.arange(96) < 32, 0.1, bright).astype(np.float32) for _ in range(3)]
    for result in Upscaler(2, stages=1).upscale(planes, format):
        assert np.abs(result[:, 120:] - 30).max() < 0.1


def test_what_is_lost_to_rounding_far_from_zero_is_not_taken_for_detail():
    """HDR highlights in single precision: the variance of a window is less than its rounding."""
    code, highlight = 1 / 219, np.arange(96) >= 32
    luma, chroma, taken = (
        plane(np.where(highlight, level, 0.1)) + noise(48, 96, 0.002, seed)
        for seed, level in ((0, 300), (1, 300), (2, 0))
    )
    cleaned = without_noise(chroma, clean_luma(luma, taken, code), code)
    assert (cleaned[..., 40:] - 300).abs().max() < 0.05


def test_bands_change_nothing(monkeypatch):
    chroma, luma = plane(90 * texture(37, 53, seed=5)), plane(200 * texture(37, 53))
    clean = clean_luma(luma, noise(37, 53, 2), 1.0)
    whole = without_noise(chroma, clean, 1.0)
    monkeypatch.setattr(resample, "CPU_ROWS", 53 * 7)
    torch.testing.assert_close(without_noise(chroma, clean, 1.0), whole, rtol=0, atol=1e-4)

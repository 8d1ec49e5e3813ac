"""Chroma lies where its location says, and follows the luma that it belongs to."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from tests.material import texture
from vs_emtcm import chroma, resample
from vs_emtcm.chroma import chroma_shift, luma_at_chroma, luma_guide
from vs_emtcm.formats import CHROMA_LOCATIONS

SUBSAMPLINGS = (0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 2)
# Position of a sample among the luma samples that it belongs to, 0 the first and 1 the last (H.273).
PLACES = {
    "left": (0, 0.5),
    "center": (0.5, 0.5),
    "top_left": (0, 0),
    "top": (0.5, 0),
    "bottom_left": (0, 1),
    "bottom": (0.5, 1),
}


def noise(height: int, width: int, seed: int, spread: float = 40) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 128 + spread * torch.randn(1, 1, height, width, generator=generator)


def detailed(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(255 * texture(height, width, seed=seed)).float()[None, None]


@dataclass(frozen=True, kw_only=True)
class Luma:
    before: Tensor
    after: Tensor


def upscaled(plane: Tensor, luma: Luma, scale: int, code: float = 1.0) -> Tensor:
    shift = (-0.25, 0.0)
    guide = luma_guide(luma.before, luma.after.clone(), scale, shift, code)
    return chroma.upscale(plane, guide, scale, shift, code)


def test_locations_are_those_of_h273():
    assert chroma_shift((1, 1), "left") == (-0.25, 0)
    assert chroma_shift((1, 1), "center") == (0, 0)
    assert chroma_shift((1, 1), "top_left") == (-0.25, -0.25)
    assert chroma_shift((1, 1), "bottom") == (0, 0.25)
    assert chroma_shift((2, 0), "left") == (-0.375, 0)
    assert chroma_shift((0, 0), "left") == (0, 0)


@pytest.mark.parametrize("location", CHROMA_LOCATIONS)
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_luma_is_taken_from_where_chroma_lies(location, subsampling):
    columns, rows = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="xy")
    for axis, ramp in ((0, columns), (1, rows)):
        covered = 1 << subsampling[axis]
        at = luma_at_chroma(ramp[None, None], subsampling, location)[0, 0]
        along = at[len(at) // 2] if axis == 0 else at[:, at.shape[1] // 2]
        wanted = torch.arange(float(len(along))) * covered + PLACES[location][axis] * (covered - 1)
        torch.testing.assert_close(along[1:-1], wanted[1:-1])


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    subsampling=st.sampled_from(SUBSAMPLINGS),
    location=st.sampled_from(CHROMA_LOCATIONS),
)
def test_luma_of_every_size_has_a_mean_at_each_sample_of_chroma(height, width, subsampling, location):
    plane = noise(height, width, seed=height * width)
    at = luma_at_chroma(plane, subsampling, location)
    assert at.shape == (1, 1, -(-height >> subsampling[1]), -(-width >> subsampling[0]))
    assert plane.min() - 1e-3 <= at.min() <= at.max() <= plane.max() + 1e-3
    at.fill_(0)
    assert plane.count_nonzero() == plane.numel()


@given(
    scale=st.integers(2, 4), height=st.integers(1, 9), width=st.integers(1, 9), value=st.integers(0, 65535)
)
def test_flat_chroma_stays_flat_whatever_luma_does(scale, height, width, value):
    luma = Luma(before=noise(height, width, 1, 1e4), after=noise(scale * height, scale * width, 2, 1e4))
    result = upscaled(torch.full((1, 1, height, width), float(value)), luma, scale, code=257)
    torch.testing.assert_close(result, torch.full_like(result, float(value)), atol=0.02, rtol=0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_beside_flat_luma_chroma_is_spline36s(scale):
    plane = detailed(20, 30)
    flat = Luma(
        before=torch.full((1, 1, 20, 30), 90.0), after=torch.full((1, 1, 20 * scale, 30 * scale), 90.0)
    )
    expected = resample.upscale(plane, scale, (-0.25, 0.0))
    torch.testing.assert_close(upscaled(plane, flat, scale), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("slope", [-1.5, -0.4, 0.5, 3.0])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_chroma_that_is_a_multiple_of_luma_stays_one(scale, slope):
    after = detailed(20 * scale, 30 * scale)
    luma = Luma(before=after[..., ::scale, ::scale].contiguous(), after=after)
    result = upscaled(10 + slope * luma.before, luma, scale)
    wanted = 10 + slope * after
    left = (result - wanted).square().mean()
    interpolated = resample.upscale(10 + slope * luma.before, scale, (-0.25, 0.0))
    assert left < 0.05 * (interpolated - wanted).square().mean()


def test_noise_of_luma_is_not_drawn_into_chroma():
    ramp = torch.arange(64.0).expand(1, 1, 48, 64)
    before, after = noise(48, 64, 3), noise(96, 128, 4)
    result = upscaled(ramp, Luma(before=before, after=after), 2)
    drawn = result - resample.upscale(ramp, 2, (-0.25, 0.0))
    assert drawn.square().mean().sqrt() < 0.005 * after.std()


def test_noise_of_chroma_does_not_draw_luma_into_it():
    after = detailed(96, 128)
    before = after[..., ::2, ::2].contiguous()
    plane = noise(48, 64, 3, 0.3)
    drawn = upscaled(plane, Luma(before=before, after=after), 2) - resample.upscale(plane, 2, (-0.25, 0.0))
    assert drawn.abs().max() < 0.25


def test_where_chroma_ceases_to_follow_luma_it_never_gets_more_detail_than_luma_has():
    after = detailed(96, 128)
    before = after[..., ::2, ::2].contiguous()
    plane = before.clone()
    plane[..., 32:] = 128
    drawn = upscaled(plane, Luma(before=before, after=after), 2) - resample.upscale(plane, 2, (-0.25, 0.0))
    missed = after - resample.upscale(before, 2, (-0.25, 0.0))
    share = (drawn / missed)[missed.abs() > 4]
    assert 0.95 < share.max() < 1.001


@pytest.mark.parametrize("code", [1 / 219, 1.0, 257.0])
def test_codes_of_every_size_give_the_same_picture(code):
    after = detailed(40, 60)
    luma = Luma(before=after[..., ::2, ::2], after=after)
    plane = detailed(20, 30, seed=5)
    scaled = Luma(before=luma.before * code, after=luma.after * code)
    result = upscaled(plane * code, scaled, 2, code) / code
    torch.testing.assert_close(result, upscaled(plane, luma, 2), rtol=0, atol=1e-2)


@given(height=st.integers(1, 9), width=st.integers(1, 9))
def test_the_order_of_nine_is_pytorchs(height, width):
    plane = noise(height, width, seed=height + 10 * width)
    around = F.unfold(F.pad(plane, (1, 1, 1, 1), mode="replicate"), 3).view(9, height, width)
    least, median, greatest = chroma._order_of_nine(plane)
    assert torch.equal(median[0, 0], around.median(dim=0).values)
    assert torch.equal(least[0, 0], around.amin(dim=0))
    assert torch.equal(greatest[0, 0], around.amax(dim=0))


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("code", [1.0, 257.0, 1 / 219])
@pytest.mark.parametrize("height", [1.0, 3.0, 20.0])
def test_the_fainter_an_edge_is_the_less_it_is_followed(height, code, across):
    luma = torch.where(torch.arange(16) < 8, 0.0, height * code).expand(1, 1, 16, 16)
    luma = luma if across else luma.mT
    guide = luma_guide(luma, torch.zeros(1, 1, 32, 32), 2, (0.0, 0.0), code)
    # Three steps of twelve are the edge's; in luma there may be 24 of noise, in chroma 6.
    product, of_luma, of_chroma = (3 * factor * height**2 for factor in (0.5, 1, 0.25))
    slope = (product / (of_luma + 24)) ** 2 * product / (of_chroma + 6)
    found = chroma._slope(0.5 * luma, guide, code)[..., 8, 8]
    # Beside the edge there is no slope, so that the nine do not agree: a tenth is missing.
    torch.testing.assert_close(found, torch.full((1, 1), slope * 0.9))


def test_a_slope_that_no_neighbour_shares_counts_half():
    """A slope of its own would draw the colours of one edge onto the detail of another."""
    slope = torch.full((1, 1, 9, 9), 0.3)
    slope[..., 4, 4] = 2.3
    agreed = chroma._in_agreement(slope.clone())
    torch.testing.assert_close(agreed[..., 4, 4], torch.full((1, 1), 0.5 * 2.3 + 0.5 * 0.3))
    slope[..., 4, 4] = 0.3
    torch.testing.assert_close(chroma._in_agreement(slope.clone()), slope)
    # Columns of +1 and of -1: most of nine are of the other sign, and on none they agree.
    signs = torch.tensor([1.0, -1.0]).repeat(18).view(1, 1, 6, 6)
    torch.testing.assert_close(chroma._in_agreement(signs.clone())[0, 0, 2, 2], torch.tensor(0.5 - 0.4))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bands_change_nothing(monkeypatch, scale):
    luma = Luma(before=detailed(37, 53), after=detailed(37 * scale - 1, 53 * scale - 1, seed=2))
    plane = detailed(37, 53, seed=3)
    whole = upscaled(plane, luma, scale)
    assert whole.shape == luma.after.shape
    monkeypatch.setattr(resample, "CPU_BAND_SAMPLES", 53 * 7)
    torch.testing.assert_close(upscaled(plane, luma, scale), whole, rtol=0, atol=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_channel_is_luma_and_its_difference_to_luma(scale):
    before, after = detailed(20, 30), detailed(20 * scale, 30 * scale)
    channel = detailed(20, 30, seed=3)
    guide = luma_guide(before, after.clone(), scale, (0.0, 0.0), 1.0)
    difference = chroma.upscale(channel - before, guide, scale, (0.0, 0.0), 1.0)
    result = chroma.upscale_channel(channel, before, guide, scale, 1.0)
    torch.testing.assert_close(result, after + difference, rtol=0, atol=1e-3)


def test_channels_of_a_grey_picture_stay_equal():
    before, after = detailed(20, 30), detailed(40, 60)
    guide = luma_guide(before, after.clone(), 2, (0.0, 0.0), 1.0)
    result = chroma.upscale_channel(before, before, guide, 2, 1.0)
    torch.testing.assert_close(result, after, rtol=0, atol=1e-3)

"""Chroma lands where zimg puts it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import vapoursynth as vs
from hypothesis import given
from hypothesis import strategies as st

from tests.material import texture
from vs_emtcm import resample
from vs_emtcm.chroma import chroma_shift
from vs_emtcm.resample import b_spline, product_dtype, spline36, upscale

LOCATIONS = {"left": 0, "center": 1, "top_left": 2, "top": 3, "bottom_left": 4, "bottom": 5}


def zimg_upscale(chroma: np.ndarray, scale: int, format: int, location: int) -> np.ndarray:
    """The U plane of zimg's Spline36 resize of a float YUV frame with this chroma."""
    core = vs.core
    kind = core.get_video_format(format)
    width, height = chroma.shape[1] << kind.subsampling_w, chroma.shape[0] << kind.subsampling_h
    blank = core.std.BlankClip(width=width, height=height, format=format, length=1)

    def fill(n, f):
        frame = f.copy()
        np.copyto(np.asarray(frame[1]), chroma)
        return frame

    clip = blank.std.ModifyFrame(blank, fill).std.SetFrameProps(_ChromaLocation=location, _Range=0)
    resized = clip.resize.Spline36(width * scale, height * scale)
    with resized.get_frame(0) as frame:
        assert frame.props.get("_ChromaLocation", location) == location
        return np.asarray(frame[1]).copy()


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("location", LOCATIONS)
def test_420_chroma_of_every_location_is_zimgs(scale, location):
    chroma = (texture(24, 30) - 0.5).astype(np.float32)
    expected = zimg_upscale(chroma, scale, int(vs.YUV420PS), LOCATIONS[location])
    shift = chroma_shift((1, 1), location)
    result = upscale(torch.from_numpy(chroma)[None, None], scale, shift)[0, 0].numpy()
    inside = slice(5 * scale, -5 * scale)
    np.testing.assert_allclose(result[inside, inside], expected[inside, inside], atol=2e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("subsampling", "log2"), [("YUV422PS", (1, 0)), ("YUV444PS", (0, 0))])
def test_other_subsamplings_are_zimgs(scale, subsampling, log2):
    chroma = (texture(24, 30, seed=1) - 0.5).astype(np.float32)
    expected = zimg_upscale(chroma, scale, int(getattr(vs, subsampling)), 0)
    result = upscale(torch.from_numpy(chroma)[None, None], scale, chroma_shift(log2, "left"))
    inside = slice(5 * scale, -5 * scale)
    np.testing.assert_allclose(result[0, 0].numpy()[inside, inside], expected[inside, inside], atol=2e-5)


def test_spline36_is_one_at_the_centre_and_zero_at_other_samples():
    values = spline36(torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0], dtype=torch.float64))
    torch.testing.assert_close(values, torch.tensor([1.0, 0, 0, 0, 0], dtype=torch.float64))


def test_b_splines_add_up_to_one_everywhere():
    places = torch.linspace(-0.5, 0.5, 11, dtype=torch.float64)
    values = b_spline(places[:, None] - torch.arange(-3, 4))
    torch.testing.assert_close(values.sum(1), torch.ones_like(places))
    assert values.min() == 0


@given(
    scale=st.integers(2, 4),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    value=st.integers(0, 65535),
    location=st.sampled_from(sorted(LOCATIONS)),
)
def test_flat_planes_stay_flat(scale, height, width, value, location):
    plane = torch.full((1, 1, height, width), float(value))
    result = upscale(plane, scale, chroma_shift((1, 1), location))
    assert result.shape == (1, 1, scale * height, scale * width)
    torch.testing.assert_close(result, torch.full_like(result, float(value)), atol=0.02, rtol=0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bands_change_nothing(monkeypatch, scale):
    plane = torch.from_numpy(texture(37, 53)).float()[None, None]
    whole = upscale(plane, scale, (-0.25, 0.0))
    monkeypatch.setattr("vs_emtcm.resample.CPU_PRODUCT_SAMPLES", 150)
    torch.testing.assert_close(upscale(plane, scale, (-0.25, 0.0)), whole, rtol=0, atol=1e-6)


def test_a_gpu_that_would_round_to_ten_bits_multiplies_in_double_precision(monkeypatch):
    assert product_dtype(torch.device("cuda")) == torch.float32
    monkeypatch.setattr(torch.backends.cuda, "matmul", SimpleNamespace(fp32_precision="tf32"))
    assert product_dtype(torch.device("cuda")) == torch.float64
    assert product_dtype(torch.device("cpu")) == torch.float32


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_double_precision_changes_nothing_but_the_rounding(monkeypatch, scale):
    plane = torch.from_numpy(texture(30, 41).astype(np.float32))[None, None]
    single = upscale(plane, scale, (-0.25, 0.0))
    monkeypatch.setattr(resample, "product_dtype", lambda _: torch.float64)
    torch.testing.assert_close(upscale(plane, scale, (-0.25, 0.0)), single, rtol=0, atol=1e-6)

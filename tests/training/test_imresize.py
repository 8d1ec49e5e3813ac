"""Downscaling is the bicubic of the benchmarks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.material import codes, texture
from training.imresize import downscale, downscale_8bit, to_8bit, upscale


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_inside_a_picture_it_is_pillows_antialiased_bicubic(scale):
    # Pillow's filter has the same a = -0.5 and the same stretched support; only edges differ.
    picture = texture(48, 60).astype(np.float32)
    size = (60 // scale, 48 // scale)
    expected = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    np.testing.assert_allclose(downscale(picture, scale)[3:-3, 3:-3], expected[3:-3, 3:-3], atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_integers_are_rounded_after_each_axis(scale):
    # As Pillow rounds them, but rows come first in MATLAB and last in Pillow.
    picture = codes(96, 120)
    turned = Image.fromarray(np.ascontiguousarray(picture.T)).resize(
        (96 // scale, 120 // scale), Image.Resampling.BICUBIC
    )
    inside = np.s_[3:-3, 3:-3]
    found, expected = downscale_8bit(picture, scale)[inside], np.asarray(turned).T[inside]
    # Pillow's weights are rounded, which turns a half down here and there.
    assert (found != expected).mean() < 0.005
    assert (to_8bit(downscale(picture, scale))[inside] != expected).mean() > 0.05


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_inside_a_picture_upscaling_is_pillows_bicubic(scale):
    picture = texture(20, 24).astype(np.float32)
    expected = np.asarray(Image.fromarray(picture).resize((24 * scale, 20 * scale), Image.Resampling.BICUBIC))
    inside = slice(2 * scale, -2 * scale)
    np.testing.assert_allclose(upscale(picture, scale)[inside, inside], expected[inside, inside], atol=1e-5)


def test_edges_are_mirrored_like_matlabs():
    # imresize([1 2 3 4 5 6 7 8], 0.5) of MATLAB and Octave: the first value by hand with mirrored
    # neighbours 4 3 2 1 | 1 2 3 ...
    row = np.arange(1.0, 9.0)[None].repeat(2, axis=0)
    distances = (np.arange(-4, 6) - 0.5) / 2
    x = np.abs(distances)
    weights = np.where(
        x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0)
    )
    mirrored = np.array([4, 3, 2, 1, 1, 2, 3, 4, 5, 6])
    expected = (weights * mirrored).sum() / weights.sum()
    np.testing.assert_allclose(downscale(row, 2)[0, 0], expected)


@given(scale=st.sampled_from([2, 3, 4]), value=st.integers(0, 255), rows=st.integers(1, 5))
def test_flat_pictures_stay_flat(scale, value, rows):
    flat = np.full((rows * scale, 3 * scale), value, np.uint8)
    np.testing.assert_array_equal(to_8bit(downscale(flat, scale)), value)
    np.testing.assert_array_equal(to_8bit(upscale(flat, scale)), value)


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="is not a multiple of 3; crop it first"):
        downscale(np.zeros((9, 10)), 3)

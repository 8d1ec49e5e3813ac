"""Transparent pixels do not show in visible ones."""

import dataclasses
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.material import codes
from vs_emtcm import Color, PixelFormat, Upscaler
from vs_emtcm.alpha import filled_behind

FORMATS = [
    PixelFormat(family="rgb", alpha=True),
    PixelFormat(family="gray", alpha=True),
    PixelFormat(family="yuv", subsampling=(1, 1), alpha=True),
]


@cache
def upscaler(scale: int) -> Upscaler:
    """An Upscaler that tests share."""
    return Upscaler(scale, tune="clean", stages=1)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("format", FORMATS, ids=lambda kind: kind.family)
def test_a_white_square_has_no_dark_seam_over_white(scale, format):
    alpha = np.zeros((40, 44), np.uint8)
    alpha[10:30, 8:33] = 255
    colours = [np.zeros(format.plane_shape(i, 44, 40), np.uint8) for i in range(format.planes - 1)]
    white = [255, 128, 128] if format.family == "yuv" else [255] * 3
    for index, plane in enumerate(colours):
        halved = format.family == "yuv" and index > 0
        plane[(slice(5, 15), slice(4, 17)) if halved else (slice(10, 30), slice(8, 33))] = white[index]
    *result, opacity = upscaler(scale).upscale([*colours, alpha], format, Color(range="full"))
    for plane, wanted in zip(result, white, strict=False):
        rows, columns = (-(-w // p) for w, p in zip(opacity.shape, plane.shape, strict=True))
        seen = opacity[::rows, ::columns] > 0
        assert np.abs(plane[seen].astype(int) - wanted).max() <= 1
    assert opacity[: 6 * scale].max() == 0
    assert opacity[14 * scale : 26 * scale, 12 * scale : 29 * scale].min() == 255


@pytest.mark.parametrize("alpha", [np.full((30, 36), 255, np.uint8), np.zeros((30, 36), np.uint8)])
def test_pictures_without_a_border_of_transparency_are_as_without_alpha(alpha):
    planes = [codes(30, 36, seed=i) for i in range(3)]
    plain = upscaler(2).upscale(planes, PixelFormat(family="rgb"))
    *colours, _ = upscaler(2).upscale([*planes, alpha], PixelFormat(family="rgb", alpha=True))
    for ours, theirs in zip(colours, plain, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(seed=st.integers(0, 2**16), width=st.integers(1, 12), height=st.integers(1, 12))
def test_what_is_seen_stays_and_what_is_filled_lies_between(seed, width, height):
    rng = np.random.default_rng(seed)
    plane, alpha = (torch.from_numpy(rng.random((1, 1, height, width))).float() for _ in range(2))
    alpha *= alpha > 0.6
    filled, same = filled_behind([plane, alpha], (0, 0), 24)
    assert torch.equal(same, alpha)
    seen = alpha > 0
    assert torch.equal(filled[seen], plane[seen])
    if seen.any():
        assert plane[seen].min() - 1e-6 <= filled.min() <= filled.max() <= plane[seen].max() + 1e-6


@pytest.mark.parametrize("width", range(5, 14))
def test_chroma_is_seen_where_any_of_its_luma_is(width):
    """4:1:1: a sample of chroma belongs to four of luma, whatever the width."""
    alpha = torch.zeros(1, 1, 1, width)
    alpha[..., 3] = 255
    chroma = torch.full((1, 1, 1, -(-width // 4)), 9.0)
    chroma[..., 0] = 77
    *_, filled, _ = filled_behind([alpha, chroma, alpha], (2, 0), 4)
    assert (filled == 77).all()


@pytest.mark.parametrize("format", FORMATS, ids=lambda kind: kind.family)
def test_what_is_hidden_changes_nothing_that_is_seen(format):
    """Neither by its colours nor by its noise, whose windows reach farther than the network."""
    format = dataclasses.replace(format, bits=32, sample_type="float")
    alpha = np.zeros((96, 120), np.float32)
    alpha[20:50, :30] = 1
    video, results = Upscaler(2, stages=1), []
    for seed in (1, 2):
        planes = []
        for index in range(format.planes - 1):
            shape = format.plane_shape(index, 120, 96)
            step = 120 // shape[1]
            seen, hidden = (np.random.default_rng(s).uniform(0.1, 0.5, shape) for s in (0, seed))
            hidden *= seed * 0.5
            planes.append(np.where(alpha[::step, ::step] > 0, seen, hidden).astype(np.float32))
        results.append(video.upscale([*planes, alpha], format))
    opacity = results[0][-1] > 0
    for one, other in zip(*results, strict=True):
        step = opacity.shape[1] // one.shape[1]
        np.testing.assert_array_equal(*(r[opacity[::step, ::step]] for r in (one, other)))

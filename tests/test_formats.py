"""Formats that exist are accepted, and planes that do not fit them are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.material import codes
from vs_emtcm.formats import Color, PixelFormat, check_targets, full_scale, with_bits


@given(
    width=st.integers(1, 50),
    height=st.integers(1, 50),
    subsampling=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_chroma_planes_cover_their_luma(width, height, subsampling):
    format = PixelFormat(family="yuv", subsampling=subsampling)
    rows, columns = format.plane_shape(1, width, height)
    assert (rows - 1) << subsampling[1] < height <= rows << subsampling[1]
    assert (columns - 1) << subsampling[0] < width <= columns << subsampling[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"family": "cmyk"},
        {"family": "gray", "bits": 7},
        {"family": "gray", "bits": 32},
        {"family": "gray", "bits": 8, "sample_type": "float"},
        {"family": "gray", "sample_type": "complex"},
        {"family": "rgb", "subsampling": (1, 1)},
        {"family": "yuv", "subsampling": (3, 0)},
        {"family": "yuv", "subsampling": (1,)},
        {"family": "yuv", "subsampling": (1, 1, 1)},
        {"family": "yuv", "subsampling": 1},
        {"family": "yuv", "subsampling": (1.0, 1.0)},
        {"family": "gray", "bits": 8.0},
        {"family": "gray", "bits": "8"},
    ],
)
def test_formats_that_do_not_exist_are_refused(wrong):
    with pytest.raises(ValueError, match=r"accepted|subsampled"):
        PixelFormat(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"range": "tv"}, {"matrix": "bt470bg"}, {"chroma_location": "topleft"}, {"matrix": None}]
)
def test_colours_that_do_not_exist_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .*; accepted are"):
        Color(**wrong)


def test_full_scale_is_the_largest_code():
    assert full_scale(PixelFormat(family="gray", bits=10)) == 1023
    assert full_scale(PixelFormat(family="gray", bits=16, sample_type="float")) == 1


def test_a_result_has_as_many_bits_or_more():
    format = PixelFormat(family="yuv", bits=10, subsampling=(1, 1))
    assert with_bits(format, None) == with_bits(format, 10) == format
    assert with_bits(format, 12) == PixelFormat(family="yuv", bits=12, subsampling=(1, 1))
    with pytest.raises(ValueError, match="bits of the result is 8; accepted are 10 and more"):
        with_bits(format, 8)
    with pytest.raises(ValueError, match="17 bits per integer sample"):
        with_bits(format, 17)
    with pytest.raises(ValueError, match="32 bits per integer sample"):
        with_bits(format, 32)


def test_a_target_that_cannot_be_written_to_is_refused():
    targets = [codes(8, 12) for _ in range(3)]
    check_targets(targets, PixelFormat(family="rgb"), 8, 12)
    targets[2].flags.writeable = False
    with pytest.raises(ValueError, match="target plane 2 is read-only; give arrays that can be written to"):
        check_targets(targets, PixelFormat(family="rgb"), 8, 12)
    with pytest.raises(ValueError, match=r"plane 0 is uint8 of shape \(8, 12\); .* of shape \(12, 8\)"):
        check_targets(targets, PixelFormat(family="rgb"), 12, 8)

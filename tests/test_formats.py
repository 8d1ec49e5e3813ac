"""Code values become what the network saw in training, and come back unchanged."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vs_emtcm.planes import (
    Color,
    PixelFormat,
    deepened,
    full_scale,
    luma_slope_and_offset,
    to_samples,
    with_bits,
)


@pytest.mark.parametrize("bits", range(8, 17))
@pytest.mark.parametrize("range_", ["limited", "full"])
def test_every_code_value_survives_the_way_there_and_back(bits, range_):
    format = PixelFormat(family="gray", bits=bits)
    every = np.arange(1 << bits, dtype=format.dtype)[None]
    slope, offset = luma_slope_and_offset(format, range_)
    network = torch.from_numpy(every).float() * slope + offset
    samples = to_samples((network - offset) / slope, format)
    np.testing.assert_array_equal(samples.numpy(), every)


@pytest.mark.parametrize(
    ("bits", "range_", "black", "white"),
    [
        (8, "limited", 16, 235),
        (10, "limited", 64, 940),
        (16, "limited", 4096, 60160),
        (8, "full", 0, 255),
        (10, "full", 0, 1023),
        (16, "full", 0, 65535),
    ],
)
def test_nominal_black_and_white_are_the_same_for_the_network(bits, range_, black, white):
    # Nominal levels of ITU-R BT.709 and BT.2100 for each depth.
    slope, offset = luma_slope_and_offset(PixelFormat(family="gray", bits=bits), range_)
    assert black * slope + offset == pytest.approx(16 / 255)
    assert white * slope + offset == pytest.approx(235 / 255)


def test_float_luma_is_nominal_from_0_to_1():
    format = PixelFormat(family="gray", sample_type="float", bits=32)
    slope, offset = luma_slope_and_offset(format, "limited")
    assert (offset, slope + offset) == pytest.approx((16 / 255, 235 / 255))


def test_integers_are_rounded_and_clamped_and_floats_are_not():
    values = torch.tensor([-3.0, 0.4, 0.6, 254.6, 300.0])
    integers = to_samples(values.clone(), PixelFormat(family="gray"))
    assert integers.dtype == torch.uint8
    assert integers.tolist() == [0, 0, 1, 255, 255]
    # Of ten bits, the two bytes of a sample hold more than there is.
    deep = to_samples(torch.tensor([-1.0, 1022.6, 1024.0, 7e4]), PixelFormat(family="gray", bits=10))
    assert (deep.dtype, deep.tolist()) == (torch.uint16, [0, 1023, 1023, 1023])
    floats = to_samples(values, PixelFormat(family="gray", sample_type="float", bits=32))
    assert torch.equal(floats, values)


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


@pytest.mark.parametrize("bits", [9, 10, 12, 16])
def test_code_values_are_deepened_as_h273_quantises_them(bits):
    for range_ in ("limited", "full"):
        format = PixelFormat(family="yuv", alpha=True)
        deeper = PixelFormat(family="yuv", bits=bits, alpha=True)
        codes, largest = torch.arange(256.0), (1 << bits) - 1
        luma, chroma, _, alpha = (deepened(codes.clone(), i, format, deeper, range_) for i in range(4))
        if range_ == "full":
            torch.testing.assert_close(luma / largest, codes / 255)
            torch.testing.assert_close((chroma - (1 << (bits - 1))) / largest, (codes - 128) / 255)
        else:
            factor = 1 << (bits - 8)
            torch.testing.assert_close((luma / factor - 16) / 219, (codes - 16) / 219)
            torch.testing.assert_close((chroma / factor - 128) / 224, (codes - 128) / 224)
        torch.testing.assert_close(alpha / largest, codes / 255)


@pytest.mark.parametrize("range_", ["limited", "full"])
def test_half_and_single_precision_have_the_same_values(range_):
    half, single = (PixelFormat(family="yuv", bits=bits, sample_type="float") for bits in (16, 32))
    values = torch.tensor([-0.5, 0.0, 0.25, 1.0])
    for plane in range(3):
        assert torch.equal(deepened(values.clone(), plane, half, single, range_), values)


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

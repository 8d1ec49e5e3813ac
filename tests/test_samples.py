"""Code values become what the network saw in training, and come back unchanged."""

import numpy as np
import pytest
import torch

from vs_emtcm import PixelFormat
from vs_emtcm.samples import deepened, luma_slope_and_offset, to_samples


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
    # The two bytes of a sample of ten bits hold more than its 1024 values.
    deep = to_samples(torch.tensor([-1.0, 1022.6, 1024.0, 7e4]), PixelFormat(family="gray", bits=10))
    assert (deep.dtype, deep.tolist()) == (torch.uint16, [0, 1023, 1023, 1023])
    floats = to_samples(values, PixelFormat(family="gray", sample_type="float", bits=32))
    assert torch.equal(floats, values)


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

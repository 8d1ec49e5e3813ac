"""Samples of decoded frames come into a native pixel format without loss."""

import av
import numpy as np
import pytest
from av.video.format import names

from vs_emtcm import UsageError
from vs_emtcm.video.frames import av_planes, is_float, native_format
from vs_emtcm.video.native_frame import check_convertible, native_frame

FLOAT_FORMATS = sorted(n for n in names if is_float(n))


def filled(name, width=33, height=17):
    """A frame of floats, and its components in the order of R, G, B or Y, and alpha."""
    frame = av.VideoFrame(width, height, name)
    bits = frame.format.components[0].bits
    shape = (len(frame.format.components), height, width)
    samples = np.random.default_rng(0).normal(0, 3, shape).astype(f"f{bits // 8}")
    samples[0, 0, :4] = 0, 1, 3, np.inf
    stored = samples.astype(f"{'>' if name.endswith('be') else '<'}f{bits // 8}")
    if frame.format.is_planar:
        order = (1, 2, 0, 3)[: len(samples)]
        for plane, component in zip(frame.planes, stored[list(order)], strict=True):
            row = np.frombuffer(plane, stored.dtype).reshape(height, -1)
            row[:, :width] = component
    else:
        row = np.frombuffer(frame.planes[0], stored.dtype).reshape(height, -1)
        row[:, : width * len(samples)] = np.moveaxis(stored, 0, 2).reshape(height, -1)
    return frame, samples


@pytest.mark.parametrize("name", FLOAT_FORMATS)
def test_every_float_stays_to_the_bit(name):
    frame, samples = filled(name)
    native = native_frame(frame)
    format = native_format(native.format.name)
    planes = av_planes(native, format)
    if len(planes) > len(samples):
        gray, *alpha = samples
        samples = [gray, gray, gray, *alpha]
    assert planes[0].dtype == samples[0].dtype
    for plane, component in zip(planes, samples, strict=True):
        np.testing.assert_array_equal(plane, component)


def test_this_ffmpeg_has_floats_of_every_layout():
    assert {"gbrpf32be", "rgbaf16le", "yaf32le", "grayf16be"} <= set(FLOAT_FORMATS)


def test_a_native_frame_is_returned_as_it_is():
    frame = av.VideoFrame(16, 16, "yuv420p10le")
    assert native_frame(frame) is frame


def test_integers_are_unpacked():
    frame = av.VideoFrame(16, 16, "rgb24")
    np.frombuffer(frame.planes[0], np.uint8)[:] = np.arange(frame.planes[0].buffer_size) % 251
    native = native_frame(frame)
    assert native.format.name == "gbrp"
    np.testing.assert_array_equal(np.stack(av_planes(native, native_format("gbrp")), 2), frame.to_ndarray())


def test_a_frame_that_no_native_format_holds_is_refused():
    with pytest.raises(UsageError, match="as its samples are integers of 32 bits"):
        native_frame(av.VideoFrame(16, 16, "gray32le"))


# Formats that FFmpeg's conversion does not read.
UNREADABLE = ("rgb4", "bgr4", "x2rgb10be", "x2bgr10be", "y210be", "y212be", "y216be", "xv30be", "v30xbe")


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_format_that_ffmpeg_does_not_read_is_refused_in_a_sentence(name):
    message = (
        f"the pixel format {name} cannot be upscaled, as FFmpeg does not convert it to others; convert it "
    )
    with pytest.raises(UsageError, match=message):
        check_convertible(name)


def test_every_other_format_of_up_to_16_bits_is_accepted():
    refused = set()
    for name in names:
        try:
            check_convertible(name)
        except UsageError:
            refused.add(name)
    formats = {name: av.VideoFormat(name) for name in refused.difference(UNREADABLE)}
    # The others are names of a graphics card's memory, which have no components, or integers of 32 bits.
    assert all(not f.components or max(c.bits for c in f.components) == 32 for f in formats.values())
    assert refused.issuperset(UNREADABLE)

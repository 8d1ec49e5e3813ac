"""An upscaled frame has what the decoded one had."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vs_emtcm import Upscaler
from vs_emtcm.video.frame_upscaler import FrameUpscaler
from vs_emtcm.video.frames import av_planes, native_format


@pytest.mark.parametrize(
    ("name", "color_range", "expected"),
    # The range of yuvj is in its name.
    [("yuv420p", 1, 1), ("yuvj420p", 0, 2), ("nv12", 2, 2), ("gray", 1, 1), ("yuv444p10le", 0, 0)],
)
def test_a_larger_frame_has_the_time_and_the_tags_of_the_smaller_one(name, color_range, expected):
    frame = av.VideoFrame(32, 16, name)
    frame.pts, frame.time_base, frame.duration = 90, Fraction(1, 1000), 33
    frame.colorspace, frame.color_primaries, frame.color_trc = 9, 9, 16
    frame.color_range, frame.chroma_location = color_range, 3
    upscaler = FrameUpscaler(Upscaler(3, stages=1))
    larger = upscaler(frame)
    assert (larger.width, larger.height) == (96, 48)
    assert (larger.pts, larger.time_base, larger.duration) == (90, Fraction(1, 1000), 33)
    assert (larger.colorspace, larger.color_primaries, larger.color_trc) == (9, 9, 16)
    assert (larger.color_range, larger.chroma_location) == (expected, 3)
    assert upscaler.seconds > 0


@pytest.mark.parametrize(("name", "expected"), [("gbrp", 0), ("bgra", 0), ("gray", 2)])
def test_rgb_stays_tagged_as_rgb_and_grey_never_is(name, expected):
    frame = av.VideoFrame(32, 16, name)
    frame.time_base, frame.colorspace = Fraction(1, 25), 0
    assert FrameUpscaler(Upscaler(2, stages=1))(frame).colorspace == expected


def test_floats_beyond_the_nominal_range_are_upscaled_as_they_are():
    frame = av.VideoFrame(32, 16, "rgbaf32be")
    frame.time_base = Fraction(1, 25)
    samples = np.frombuffer(frame.planes[0], ">f4")
    samples[:] = np.tile(np.float32([3, -0.5, 1e-6, 0.25]), samples.size // 4)
    larger = FrameUpscaler(Upscaler(2, stages=1))(frame)
    assert larger.format.name == "gbrapf32le"
    format = native_format("gbrapf32le")
    for plane, value in zip(av_planes(larger, format), (3, -0.5, 1e-6, 0.25), strict=True):
        np.testing.assert_allclose(plane, value, atol=1e-5)


def test_grey_of_floats_with_alpha_becomes_rgb_that_is_not_tagged_as_yuv():
    frame = av.VideoFrame(640, 480, "yaf32le")
    frame.time_base = Fraction(1, 25)
    larger = FrameUpscaler(Upscaler(2, stages=1))(frame)
    assert (larger.format.name, larger.colorspace, larger.color_primaries) == ("gbrapf32le", 2, 2)


@pytest.fixture(scope="module")
def upscale():
    return FrameUpscaler(Upscaler(2, stages=1))


@pytest.mark.parametrize("matrix", range(1, 19))
@pytest.mark.parametrize(("pix_fmt", "native"), [("nv12", "yuv420p"), ("p010le", "yuv420p10le")])
def test_packed_frames_of_every_matrix(upscale, pix_fmt, native, matrix):
    frame = av.VideoFrame(32, 16, native)
    values = (90, 100, 150) if native == "yuv420p" else (360, 400, 600)
    for plane, value in zip(av_planes(frame, native_format(native)), values, strict=True):
        plane[...] = value
    packed = frame.reformat(format=pix_fmt)
    packed.colorspace, packed.pts, packed.time_base = matrix, 3, Fraction(1, 25)
    result = upscale(packed)
    assert (result.format.name, result.colorspace, result.pts) == (native, matrix, 3)
    for plane, value in zip(av_planes(result, native_format(native)), values, strict=True):
        assert (plane == value).all()


@pytest.mark.parametrize(
    ("pix_fmt", "white"), [("rgb555le", 0x7FFF), ("rgb565le", 0xFFFF), ("bgr565le", 0xFFFF)]
)
def test_white_of_5_and_6_bits_is_white(upscale, pix_fmt, white):
    frame = av.VideoFrame(32, 16, pix_fmt)
    np.frombuffer(frame.planes[0], np.uint16)[:] = white
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    result = upscale(frame)
    assert result.format.name == "gbrp"
    assert all((plane == 255).all() for plane in av_planes(result, native_format("gbrp")))

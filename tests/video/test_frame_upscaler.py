"""Decoded frames become larger ones in a native format, whatever their layout and tags."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vs_emtcm import Upscaler
from vs_emtcm.video.frame_upscaler import FrameUpscaler
from vs_emtcm.video.frames import frame_planes, native_format


@pytest.fixture(scope="module")
def upscale():
    return FrameUpscaler(Upscaler(2, stages=1))


@pytest.mark.parametrize("matrix", range(1, 19))
@pytest.mark.parametrize(("pix_fmt", "native"), [("nv12", "yuv420p"), ("p010le", "yuv420p10le")])
def test_packed_frames_of_every_matrix(upscale, pix_fmt, native, matrix):
    frame = av.VideoFrame(32, 16, native)
    values = (90, 100, 150) if native == "yuv420p" else (360, 400, 600)
    for plane, value in zip(frame_planes(frame, native_format(native)), values, strict=True):
        plane[...] = value
    packed = frame.reformat(format=pix_fmt)
    packed.colorspace, packed.pts, packed.time_base = matrix, 3, Fraction(1, 25)
    result = upscale(packed)
    assert (result.format.name, result.colorspace, result.pts) == (native, matrix, 3)
    for plane, value in zip(frame_planes(result, native_format(native)), values, strict=True):
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
    assert all((plane == 255).all() for plane in frame_planes(result, native_format("gbrp")))

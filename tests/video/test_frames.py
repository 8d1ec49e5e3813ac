"""FFmpeg's pixel formats are told apart and their samples found."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.format import names

from vs_emtcm import Upscaler
from vs_emtcm.formats import PixelFormat
from vs_emtcm.video.frame_upscaler import FrameUpscaler
from vs_emtcm.video.frames import deeper_native, frame_color, frame_planes, native_format, nearest_native


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("yuv420p", PixelFormat(family="yuv", subsampling=(1, 1))),
        ("yuvj422p", PixelFormat(family="yuv", subsampling=(1, 0))),
        ("yuv444p10le", PixelFormat(family="yuv", bits=10)),
        ("yuva420p", PixelFormat(family="yuv", subsampling=(1, 1), alpha=True)),
        ("yuv440p12le", PixelFormat(family="yuv", bits=12, subsampling=(0, 1))),
        ("yuv411p", PixelFormat(family="yuv", subsampling=(2, 0))),
        ("yuv410p", PixelFormat(family="yuv", subsampling=(2, 2))),
        ("gray", PixelFormat(family="gray")),
        ("gray16le", PixelFormat(family="gray", bits=16)),
        ("grayf32le", PixelFormat(family="gray", bits=32, sample_type="float")),
        ("gbrp", PixelFormat(family="rgb")),
        ("gbrap12le", PixelFormat(family="rgb", bits=12, alpha=True)),
        ("nv12", None),
        ("rgb24", None),
        ("yuv420p10be", None),
    ],
)
def test_planar_formats_are_native(name, format):
    assert native_format(name) == format


@pytest.mark.parametrize("name", sorted(n for n in names if av.VideoFormat(n).components))
def test_every_software_format_has_a_native_one_that_holds_it(name):
    native = native_format(nearest_native(name))
    assert native is not None
    format = av.VideoFormat(name)
    if not format.has_palette and max(c.bits for c in format.components) <= 16:
        assert native.bits >= max(c.bits for c in format.components)
    assert native.alpha == (any(c.is_alpha for c in format.components) or format.has_palette)


@pytest.mark.parametrize(
    ("name", "native"),
    [
        ("nv12", "yuv420p"),
        ("nv24", "yuv444p"),
        ("yuyv422", "yuv422p"),
        ("uyyvyy411", "yuv411p"),
        ("p010le", "yuv420p10le"),
        ("p012le", "yuv420p12le"),
        ("p216le", "yuv422p16le"),
        ("yuv440p12be", "yuv440p12le"),
        ("rgb24", "gbrp"),
        ("rgb48be", "gbrp16le"),
        ("x2rgb10le", "gbrp10le"),
        ("bgra", "gbrap"),
        ("pal8", "gbrap"),
        ("gray10be", "gray10le"),
        ("ya16le", "yuva444p16le"),
    ],
)
def test_the_native_format_is_no_larger_than_it_must_be(name, native):
    assert nearest_native(name) == native


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "gray", "gbrp", "yuva444p"])
def test_planes_are_those_that_pyav_converts(name):
    frame = av.VideoFrame(34, 22, name)
    format = native_format(name)
    assert format is not None
    for index, plane in enumerate(frame_planes(frame, format)):
        plane[:] = np.arange(plane.size).reshape(plane.shape) * (index + 1) % 200
    planes = frame_planes(frame, format)
    if name == "gbrp":
        np.testing.assert_array_equal(frame.to_ndarray(format="rgb24"), np.stack(planes, 2))
    elif name in ("yuv422p10le", "yuva444p"):
        for index, plane in enumerate(planes):
            pitch = frame.planes[index].line_size // plane.itemsize
            samples = np.frombuffer(frame.planes[index], plane.dtype)
            for y, x in ((0, 0), (3, 5), (21, plane.shape[1] - 1)):
                assert plane[y, x] == samples[y * pitch + x]
    else:
        expected = np.concatenate([plane.ravel() for plane in planes])
        np.testing.assert_array_equal(frame.to_ndarray().ravel(), expected)


def test_colour_tags_are_understood():
    frame = av.VideoFrame(8, 8, "yuv420p")
    format = PixelFormat(family="yuv", subsampling=(1, 1))
    assert (frame_color(frame, format).range, frame_color(frame, format).chroma_location) == (
        "limited",
        "left",
    )
    frame.color_range, frame.chroma_location = 2, 2
    assert (frame_color(frame, format).range, frame_color(frame, format).chroma_location) == (
        "full",
        "center",
    )
    assert frame_color(av.VideoFrame(8, 8, "yuvj420p"), format).range == "full"
    rgb = av.VideoFrame(8, 8, "gbrp")
    assert frame_color(rgb, PixelFormat(family="rgb")).range == "full"
    rgb.color_range = 1
    assert frame_color(rgb, PixelFormat(family="rgb")).range == "limited"


@pytest.mark.parametrize(
    ("name", "bits", "deeper"),
    [
        ("yuv420p", 10, "yuv420p10le"),
        ("yuvj422p", 10, "yuv422p10le"),
        ("yuv420p10le", 8, "yuv420p10le"),
        ("gray", 16, "gray16le"),
        ("gbrap", 12, "gbrap12le"),
        ("yuv411p", 10, "yuv411p"),
        ("grayf32le", 10, "grayf32le"),
    ],
)
def test_formats_are_deepened_where_ffmpeg_has_them(name, bits, deeper):
    assert deeper_native(name, bits) == deeper


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

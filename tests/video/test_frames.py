"""FFmpeg's pixel formats are told apart and their samples found."""

import av
import numpy as np
import pytest
from av.video.format import names

from vs_emtcm import UsageError
from vs_emtcm.formats import PixelFormat
from vs_emtcm.video.frames import (
    av_color,
    av_planes,
    computed_bits,
    deeper_native,
    native_format,
    nearest_native,
)


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


SOFTWARE_FORMATS = sorted(n for n in names if av.VideoFormat(n).components)
TOO_DEEP = ("gray32", "gbrap32", "rgb96", "rgba128")


@pytest.mark.parametrize("name", [n for n in SOFTWARE_FORMATS if not n.startswith(TOO_DEEP)])
def test_every_software_format_has_a_native_one_that_loses_no_bits(name):
    nearest = nearest_native(name)
    native, format = native_format(nearest), av.VideoFormat(name)
    assert native is not None
    bits = 8 if format.has_palette else max(c.bits for c in format.components)
    assert native.bits >= (format.bits_per_pixel if format.is_bayer else bits)
    assert native.alpha == (any(c.is_alpha for c in format.components) or format.has_palette)
    assert (native.sample_type == "float") == ("f16" in name or "f32" in name)
    if not format.is_bayer:
        sizes = (format.chroma_width, format.chroma_height), (16, 16)
        kept = av.VideoFormat(nearest).chroma_width(16), av.VideoFormat(nearest).chroma_height(16)
        assert all(k >= size(length) for k, size, length in zip(kept, *sizes, strict=True))
    if format.is_rgb or len(format.components) >= 3:
        assert native.planes - native.alpha == 3


@pytest.mark.parametrize("name", [n for n in SOFTWARE_FORMATS if n.startswith(TOO_DEEP)])
def test_integers_that_no_native_format_holds_are_refused(name):
    with pytest.raises(UsageError, match=f"pixel format {name} cannot be upscaled, .* integers of 32 bits; "):
        nearest_native(name)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("yuv420p", 8),
        ("nv12", 8),
        ("yuv420p9le", 9),
        ("yuv420p9be", 10),
        ("p010le", 10),
        ("gbrp14le", 14),
        ("gbrp14be", 16),
        ("rgb48le", 16),
        ("rgbaf32le", 16),
        ("gbrap32le", 16),
        ("gbrpf32le", 16),
        ("grayf16le", 16),
    ],
)
def test_results_are_computed_with_the_bits_that_are_encoded(name, bits):
    assert computed_bits(name) == bits


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
        ("bayer_rggb16le", "gbrp16le"),
        ("bayer_rggb8", "gbrp"),
        ("gbrpf32be", "gbrpf32le"),
        ("gbrapf16be", "gbrapf16le"),
        ("grayf32be", "grayf32le"),
        ("rgbf32le", "gbrpf32le"),
        ("rgbaf16be", "gbrapf16le"),
        ("yaf16le", "gbrapf16le"),
        ("yaf32be", "gbrapf32le"),
    ],
)
def test_the_native_format_is_no_larger_than_it_must_be(name, native):
    assert nearest_native(name) == native


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "gray", "gbrp", "yuva444p"])
def test_planes_are_those_that_pyav_converts(name):
    frame = av.VideoFrame(34, 22, name)
    format = native_format(name)
    assert format is not None
    for index, plane in enumerate(av_planes(frame, format)):
        plane[:] = np.arange(plane.size).reshape(plane.shape) * (index + 1) % 200
    planes = av_planes(frame, format)
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
    assert (av_color(frame, format).range, av_color(frame, format).chroma_location) == (
        "limited",
        "left",
    )
    frame.color_range, frame.chroma_location = 2, 2
    assert (av_color(frame, format).range, av_color(frame, format).chroma_location) == (
        "full",
        "center",
    )
    assert av_color(av.VideoFrame(8, 8, "yuvj420p"), format).range == "full"
    rgb = av.VideoFrame(8, 8, "gbrp")
    assert av_color(rgb, PixelFormat(family="rgb")).range == "full"
    rgb.color_range = 1
    assert av_color(rgb, PixelFormat(family="rgb")).range == "limited"


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

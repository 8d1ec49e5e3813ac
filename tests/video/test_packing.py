"""The same samples in the layouts of decoders and encoders."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vs_emtcm.video.frames import av_planes, native_format, nearest_native
from vs_emtcm.video.packing import repack

SIXTEEN_BITS = [
    f"{order}{bits}{end}" for order in ("rgb", "bgr") for bits in (555, 565) for end in ("le", "be")
]


def random_frame(pix_fmt, colorspace=2, size=(34, 18)):
    format = native_format(pix_fmt)
    frame = av.VideoFrame(*size, pix_fmt)
    for plane in av_planes(frame, format):
        plane[...] = np.random.default_rng(1).integers(0, 1 << format.bits, plane.shape)
    frame.pts, frame.time_base, frame.duration = 7, Fraction(1, 25), 2
    frame.colorspace, frame.color_range = colorspace, 2 if format.family == "rgb" else 1
    frame.color_primaries, frame.color_trc, frame.chroma_location = 9, 16, 1
    return frame


@pytest.mark.parametrize("colorspace", [2, 1, 3, 8, 9, 10, 14, 17])
@pytest.mark.parametrize(
    "pix_fmt",
    [
        *(
            "nv12",
            "nv21",
            "nv16",
            "nv24",
            "nv20le",
            "p010le",
            "p012le",
            "p016le",
            "p210le",
            "p212le",
            "p216le",
        ),
        *("p410le", "yuyv422", "uyvy422", "y210le", "y212le", "vuyx", "vuya", "xv30le", "xv36le", "ayuv64le"),
        *("yuv444p10msble", "yuv444p12msble", "yuv420p16be", "gray10be", "gray16be"),
        *("rgb24", "bgr24", "bgr0", "rgb0", "rgba", "bgra", "argb", "abgr", "x2rgb10le", "x2bgr10le"),
        *("rgb48le", "rgb48be", "rgba64le", "rgba64be", "gbrp10be", "gbrap16be"),
    ],
)
def test_not_a_bit_changes_on_the_way_there_and_back(pix_fmt, colorspace):
    frame = random_frame(nearest_native(pix_fmt), colorspace)
    packed = repack(frame, pix_fmt)
    back = repack(packed, frame.format.name)
    assert packed.format.name == pix_fmt
    format = native_format(frame.format.name)
    for plane, wanted in zip(av_planes(back, format), av_planes(frame, format), strict=True):
        np.testing.assert_array_equal(plane, wanted)
    tags = "colorspace", "color_range", "color_primaries", "color_trc", "chroma_location"
    for name in (*tags, "pts", "time_base", "duration"):
        assert getattr(packed, name) == getattr(back, name) == getattr(frame, name)
    assert frame.colorspace == colorspace


@pytest.mark.parametrize("pix_fmt", ["p010le", "ayuv64le"])
def test_the_result_is_the_same_each_time(pix_fmt):
    # FFmpeg's threads spoil one of three frames of this size.
    frame = random_frame(nearest_native(pix_fmt), size=(642, 362))
    format = native_format(frame.format.name)
    for _ in range(40):
        back = repack(repack(frame, pix_fmt), frame.format.name)
        for plane, wanted in zip(av_planes(back, format), av_planes(frame, format), strict=True):
            np.testing.assert_array_equal(plane, wanted)


def test_a_frame_that_has_the_format_stays_itself():
    frame = random_frame("yuv420p")
    assert repack(frame, "yuv420p") is frame


@pytest.mark.parametrize("pix_fmt", SIXTEEN_BITS)
def test_every_level_of_5_and_6_bits_keeps_its_brightness(pix_fmt):
    bits = [component.bits for component in av.VideoFormat(pix_fmt).components]
    width = 64
    packed = av.VideoFrame(width, 3, pix_fmt)
    packed.time_base = Fraction(1, 25)
    words = np.frombuffer(packed.planes[0], ">u2" if pix_fmt.endswith("be") else "<u2").reshape(3, -1)
    levels = [np.arange(width) % (1 << each) for each in bits]
    offsets = (
        [bits[1] + bits[2], bits[2], 0] if pix_fmt.startswith("rgb") else [0, bits[0], bits[0] + bits[1]]
    )
    for row in range(3):
        # One of red, green and blue on each line.
        words[row, :width] = levels[row] << offsets[row]
    planes = av_planes(repack(packed, "gbrp"), native_format("gbrp"))
    for row, plane in enumerate(planes):
        exact = levels[row] * 255 / ((1 << bits[row]) - 1)
        np.testing.assert_array_equal(plane[row], np.round(exact))
        assert not np.delete(plane, row, axis=0).any()


@pytest.mark.parametrize("pix_fmt", ["rgb444le", "rgb8", "bgr8", "rgb4_byte", "bgr4_byte"])
def test_white_of_fewer_bits_is_white(pix_fmt):
    packed = av.VideoFrame(16, 4, pix_fmt)
    packed.time_base = Fraction(1, 25)
    used = sum(component.bits for component in packed.format.components)
    words = np.frombuffer(packed.planes[0], np.uint16 if used > 8 else np.uint8)
    words[:] = (1 << used) - 1
    assert all((p == 255).all() for p in av_planes(repack(packed, "gbrp"), native_format("gbrp")))
    words[:] = 0
    assert not any(p.any() for p in av_planes(repack(packed, "gbrp"), native_format("gbrp")))


@pytest.mark.parametrize("pix_fmt", SIXTEEN_BITS)
def test_rgb_of_8_bits_becomes_the_nearest_level_of_fewer(pix_fmt):
    frame = random_frame("gbrp", colorspace=0)
    before = [plane.copy() for plane in av_planes(frame, native_format("gbrp"))]
    result = repack(repack(frame, pix_fmt), "gbrp")
    for plane, wanted, component in zip(
        av_planes(result, native_format("gbrp")), before, av.VideoFormat(pix_fmt).components, strict=True
    ):
        most = (1 << component.bits) - 1
        np.testing.assert_array_equal(plane, np.round(np.round(wanted * (most / 255)) * (255 / most)))
    for plane, wanted in zip(av_planes(frame, native_format("gbrp")), before, strict=True):
        np.testing.assert_array_equal(plane, wanted)

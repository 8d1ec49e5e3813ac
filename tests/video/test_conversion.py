"""Frames reach the encoder in its pixel format and look the same."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.video.clips import FAST, LOSSLESS, decoded
from vs_emtcm import PixelFormat, Upscaler, UsageError
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.conversion import choose_conversion
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.ffmpeg import AVCHROMA_LOC_CENTER
from vs_emtcm.video.frames import av_planes, native_format


def test_odd_sizes_are_written_with_whole_chroma(make_clip, tmp_path):
    source = make_clip(width=33, height=31, codec="ffv1")
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(3, stages=1), FAST)
    frames = decoded(tmp_path / "out.mkv")
    assert (frames[0].width, frames[0].height, frames[0].format.name) == (99, 93, "yuv444p")
    assert report.warnings == (
        "99x93 is written as yuv444p: libx264 takes subsampled chroma at even sizes only, and not every "
        "player takes this",
    )
    # Even after all: nothing changes.
    report = upscale_video(source, tmp_path / "even.mkv", Upscaler(2, stages=1), FAST)
    assert decoded(tmp_path / "even.mkv")[0].format.name == "yuv420p"
    assert report.warnings == ()
    asked = VideoSettings(encoder=EncoderSettings(pix_fmt="yuv420p"))
    with pytest.raises(UsageError, match=r"takes no 99x93 video in yuv420p.*--pix-fmt yuv444p"):
        upscale_video(source, tmp_path / "asked.mkv", Upscaler(3, stages=1), asked)
    assert not (tmp_path / "asked.mkv").exists()


def test_transparency_stays_or_is_said_to_be_lost(make_clip, tmp_path):
    source = make_clip(codec="ffv1", pix_fmt="yuva420p")
    report = upscale_video(source, tmp_path / "kept.mkv", Upscaler(2, stages=1), LOSSLESS)
    assert decoded(tmp_path / "kept.mkv")[0].format.name == "yuva420p"
    assert report.warnings == ()
    report = upscale_video(source, tmp_path / "lost.mkv", Upscaler(2, stages=1), FAST)
    assert report.warnings == (
        "transparency is left out: yuv420p has none, --codec ffv1 --pix-fmt yuva444p keeps it",
    )
    settings = VideoSettings(encoder=EncoderSettings(codec="ffv1", pix_fmt="yuva444p"))
    assert upscale_video(source, tmp_path / "f.mkv", Upscaler(2, stages=1), settings).warnings == ()


def test_transparency_that_is_not_decoded_is_said_to_be_lost(make_clip, tmp_path):
    source = make_clip("in.webm", codec="libvpx-vp9", pix_fmt="yuva420p")
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert report.warnings == ("transparency is left out: FFmpeg's decoder of this video does not give it",)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert "alpha_mode" not in {name.lower() for name in container.streams.video[0].metadata}


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "written"),
    [("bgr0", "ffv1", "yuv444p"), ("yuv422p12le", "ffv1", "yuv422p10le"), ("yuv411p", "ffv1", "yuv422p")],
)
def test_pixel_formats_that_x264_lacks_become_the_nearest(make_clip, tmp_path, pix_fmt, codec, written):
    source = make_clip(pix_fmt=pix_fmt, codec=codec)
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert decoded(tmp_path / "out.mkv")[0].format.name == written


def test_grey_keeps_its_levels_when_it_becomes_yuv(make_clip, tmp_path):
    source = make_clip(pix_fmt="gray", codec="ffv1")
    upscale_video(source, tmp_path / "grey.mkv", Upscaler(2, stages=1), LOSSLESS)
    as_yuv = VideoSettings(encoder=EncoderSettings(codec="ffv1", pix_fmt="yuv420p"))
    upscale_video(source, tmp_path / "yuv.mkv", Upscaler(2, stages=1), as_yuv)
    for grey, yuv in zip(decoded(tmp_path / "grey.mkv"), decoded(tmp_path / "yuv.mkv"), strict=True):
        luma, u, v = av_planes(yuv, PixelFormat(family="yuv", subsampling=(1, 1)))
        np.testing.assert_array_equal(luma, av_planes(grey, PixelFormat(family="gray"))[0])
        assert u.min() == u.max() == v.min() == v.max() == 128


@pytest.mark.parametrize("color_range", [1, 2], ids=["limited", "full"])
def test_motion_jpeg_keeps_the_range(make_clip, tmp_path, color_range):
    source = make_clip(color_range=color_range)
    mjpeg = VideoSettings(encoder=EncoderSettings(codec="mjpeg"))
    upscale_video(source, tmp_path / "jpeg.mov", Upscaler(2, stages=1), mjpeg)
    upscale_video(source, tmp_path / "exact.mkv", Upscaler(2, stages=1), LOSSLESS)
    frame, exact = (decoded(tmp_path / name)[0] for name in ("jpeg.mov", "exact.mkv"))
    assert frame.color_range == exact.color_range == color_range
    luma, wanted = (av_planes(f, PixelFormat(family="yuv", subsampling=(1, 1)))[0] for f in (frame, exact))
    assert np.abs(luma.astype(int) - wanted).mean() < 2


@pytest.mark.parametrize(
    ("codec", "suffix", "kept"),
    [
        ("libx264", "avi", True),
        ("ffv1", "mkv", True),
        ("prores_ks", "mov", False),
        ("prores_ks", "mkv", False),
        ("mpeg2video", "mkv", False),
        ("libvpx", "mkv", False),
        ("mpeg4", "avi", False),
    ],
)
def test_full_range_looks_the_same_where_it_cannot_be_said(make_clip, tmp_path, codec, suffix, kept):
    source = make_clip(color_range=2, codec="ffv1")
    settings = VideoSettings(encoder=EncoderSettings(codec=codec))
    report = upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), settings)
    assert any("full range is written as limited" in warning for warning in report.warnings) != kept
    upscale_video(source, tmp_path / "exact.mkv", Upscaler(2, stages=1), LOSSLESS)
    frame, exact = (decoded(tmp_path / name)[0] for name in (f"out.{suffix}", "exact.mkv"))
    assert (frame.color_range == 2) == kept
    seen, wanted = (
        f.reformat(format="gray16le", dst_color_range="JPEG").to_ndarray() for f in (frame, exact)
    )
    gain, _ = np.polyfit(wanted.ravel().astype(float), seen.ravel().astype(float), 1)
    assert gain == pytest.approx(1, abs=0.04)


def test_full_range_grey_looks_the_same_where_it_cannot_be_said(make_clip, tmp_path):
    source = make_clip(color_range=2, codec="ffv1", pix_fmt="gray")
    settings = VideoSettings(encoder=EncoderSettings(codec="prores_ks"))
    upscale_video(source, tmp_path / "out.mov", Upscaler(2, stages=1), settings)
    upscale_video(source, tmp_path / "exact.mkv", Upscaler(2, stages=1), LOSSLESS)
    written, exact = (decoded(tmp_path / name)[0] for name in ("out.mov", "exact.mkv"))
    seen = written.reformat(format="gray", dst_color_range="JPEG").to_ndarray()
    gain, _ = np.polyfit(exact.to_ndarray().ravel().astype(float), seen.ravel().astype(float), 1)
    assert gain == pytest.approx(1, abs=0.04)


def test_grey_png_is_not_tagged_as_rgb_when_it_becomes_yuv(make_clip, tmp_path):
    source = make_clip("clip.mov", codec="png", pix_fmt="gray")
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert decoded(tmp_path / "out.mkv")[0].colorspace == 2
    to_yuv = VideoSettings(encoder=EncoderSettings(preset="ultrafast", pix_fmt="yuv420p"))
    upscale_video(source, tmp_path / "yuv.mkv", Upscaler(2, stages=1), to_yuv)
    assert decoded(tmp_path / "yuv.mkv")[0].colorspace == 2


@pytest.mark.parametrize("target", ["yuv420p", "yuv422p"])
@pytest.mark.parametrize(
    ("source", "tag"),
    [("yuv444p", 0), ("yuv444p", 1), ("yuv444p", 2), ("yuv444p", 3), ("gbrp", 0), ("bgra", 0)],
)
def test_halved_chroma_lies_where_its_tag_says(source, tag, target):
    wave = 128 + 60 * np.sin(2 * np.pi * np.arange(128) / 32)
    picture = np.full((16, 128, 3), 128, np.uint8)
    picture[..., 2] = np.round(wave)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=source)
    frame.time_base, frame.chroma_location = Fraction(1, 25), tag
    conversion = choose_conversion(frame, target, range_is_signalled=True)
    blue = conversion(frame).planes[1]
    samples = np.frombuffer(blue, np.uint8).reshape(blue.height, -1)[4, :64] - 128.0
    # One sample of chroma each two of luma, the first at an unknown place.
    turns = 2 * np.pi * np.arange(64) / 16
    waves = np.stack([np.sin(turns), np.cos(turns), np.ones(64)], axis=1)
    (sine, cosine, _), *_ = np.linalg.lstsq(waves, samples)
    first = np.arctan2(cosine, sine) / (2 * np.pi) * 32
    assert conversion.chroma_location == (tag or AVCHROMA_LOC_CENTER)
    is_centred = conversion.chroma_location == AVCHROMA_LOC_CENTER
    assert first == pytest.approx(0.5 if is_centred else 0, abs=0.05)


@pytest.mark.parametrize(("location", "target"), [(1, "yuv420p"), (3, "yuv422p"), (1, "yuv444p")])
def test_chroma_that_keeps_its_width_keeps_its_location(location, target):
    frame = av.VideoFrame(32, 32, "yuv422p10le")
    frame.chroma_location = location
    assert choose_conversion(frame, target, range_is_signalled=True).chroma_location == location


@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264rgb", None), ("ffv1", "gbrp10le"), ("ffv1", "bgra")])
def test_yuv_becomes_rgb_of_the_same_colours(tmp_path, codec, pix_fmt):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        frame = av.VideoFrame(32, 32, "yuv444p")
        # BT.709 of (200, 90, 40), limited range.
        for plane, code in zip(frame.planes, (110, 95, 178), strict=True):
            np.frombuffer(plane, np.uint8)[:] = code
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    settings = VideoSettings(encoder=EncoderSettings(codec=codec, pix_fmt=pix_fmt))
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    (result,) = decoded(tmp_path / "out.mkv")
    assert (result.colorspace, result.color_range) == (0, 2)
    assert np.abs(result.to_ndarray(format="rgb24").astype(int) - (200, 90, 40)).max() <= 3


@pytest.mark.parametrize("target", ["yuv444p", "yuv420p"])
def test_rgb_becomes_yuv_of_the_same_colours_and_says_so(target):
    frame = av.VideoFrame(16, 16, "gbrp")
    for plane, code in zip(av_planes(frame, PixelFormat(family="rgb")), (200, 90, 40), strict=True):
        plane[...] = code
    frame.colorspace, frame.color_range = 0, 2
    frame.pts, frame.time_base, frame.duration = 3, Fraction(1, 25), 2
    result = choose_conversion(frame, target, range_is_signalled=True)(frame)
    # BT.709, limited range.
    assert (result.colorspace, result.color_range) == (1, 1)
    for plane, code in zip(av_planes(result, native_format(target)), (110, 95, 178), strict=True):
        assert np.abs(plane.astype(int) - code).max() <= 1
    assert (result.pts, result.time_base, result.duration) == (3, Fraction(1, 25), 2)


def test_yuv_becomes_grey_by_its_luma(tmp_path, make_clip):
    source = make_clip(codec="ffv1", color_range=1)
    as_grey = VideoSettings(encoder=EncoderSettings(codec="ffv1", pix_fmt="gray"))
    upscale_video(source, tmp_path / "yuv.mkv", Upscaler(2, stages=1), LOSSLESS)
    upscale_video(source, tmp_path / "grey.mkv", Upscaler(2, stages=1), as_grey)
    for grey, yuv in zip(decoded(tmp_path / "grey.mkv"), decoded(tmp_path / "yuv.mkv"), strict=True):
        assert grey.color_range == 1
        luma = av_planes(yuv, PixelFormat(family="yuv", subsampling=(1, 1)))[0]
        np.testing.assert_array_equal(av_planes(grey, PixelFormat(family="gray"))[0], luma)


@pytest.mark.parametrize("color_range", [1, 2])
@pytest.mark.parametrize(
    ("source", "target", "value"),
    [("yuv422p", "gray", 75), ("yuv420p10le", "gray10le", 300), ("yuv444p16le", "gray16le", 19_200)],
)
def test_luma_of_every_depth_stays_what_it_is_as_grey(source, target, value, color_range):
    first = flat(source, value, color_range)
    result = choose_conversion(first, target, range_is_signalled=True)(first)
    (grey,) = av_planes(result, native_format(target))
    assert (result.color_range, grey.min(), grey.max()) == (color_range, value, value)


@pytest.mark.parametrize("target", ["gray", "gray10le", "yuv444p", "gbrp"])
def test_whatever_a_frame_becomes_it_keeps_its_time(target):
    frame = flat("yuv420p", 128, 1)
    frame.pts, frame.time_base, frame.duration = 3, Fraction(1, 25), 2
    result = choose_conversion(frame, target, range_is_signalled=True)(frame)
    assert result.format.name == target
    assert (result.pts, result.time_base, result.duration) == (3, Fraction(1, 25), 2)


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "suffix", "result"),
    [
        ("yuva444p10le", "prores_ks", "mov", "yuva444p10le"),
        ("bgra", "ffv1", "mkv", "bgra"),
        ("bgra", "libvpx-vp9", "webm", "yuva420p"),
        ("yuva420p", "libx265", "mp4", "yuv420p"),
    ],
)
def test_alpha_goes_into_what_the_encoder_has_for_it(make_clip, tmp_path, pix_fmt, codec, suffix, result):
    source = make_clip(pix_fmt=pix_fmt, codec="ffv1")
    settings = VideoSettings(encoder=EncoderSettings(codec=codec))
    report = upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), settings)
    lost = any("transparency is left out" in warning for warning in report.warnings)
    assert lost == (codec == "libx265")
    with av.open(str(tmp_path / f"out.{suffix}")) as container:
        # VP9 keeps alpha beside the video, where FFmpeg's own decoder does not see it.
        assert container.streams.video[0].format.name.replace("yuva444p12le", "yuva444p10le") in (
            result,
            result.replace("yuva420p", "yuv420p") if codec == "libvpx-vp9" else result,
        )


def flat(pix_fmt, value, color_range):
    """A frame of one value in all planes."""
    frame = av.VideoFrame(16, 16, pix_fmt)
    for plane in av_planes(frame, native_format(pix_fmt)):
        plane[...] = value
    frame.color_range, frame.colorspace = color_range, 1
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    return frame


@pytest.mark.parametrize(
    ("source", "value", "color_range", "target", "expected"),
    [
        ("gray", 235, 1, "gbrp", 255),
        ("gray", 16, 1, "gbrp", 0),
        ("gray", 235, 2, "gbrp", 235),
        ("gray10le", 940, 1, "gbrp10le", 1023),
        ("gray10le", 940, 1, "gbrp", 255),
        ("gbrp", 255, 2, "gray", 255),
        ("gbrp", 0, 2, "gray16le", 0),
        ("gbrp", 255, 2, "gray16le", 65535),
    ],
)
def test_grey_and_rgb_become_each_other_with_the_levels_that_they_are_tagged_with(
    source, value, color_range, target, expected
):
    first = flat(source, value, color_range)
    result = choose_conversion(first, target, range_is_signalled=True)(first)
    assert result.color_range == 2
    for plane in av_planes(result, native_format(target)):
        # FFmpeg's own arithmetic is a code value or two off at 10 bits.
        assert np.abs(plane.astype(int) - expected).max() <= expected / 500


@pytest.mark.parametrize(
    ("encoder", "pix_fmt"),
    [
        (EncoderSettings(codec="ffv1", pix_fmt="yuv420p10le"), "yuv420p10le"),
        (EncoderSettings(codec="ffv1", pix_fmt="yuv444p12le"), "yuv444p12le"),
        (EncoderSettings(codec="prores_ks"), "yuv422p10le"),
    ],
    ids=["asked", "converted", "of the encoder"],
)
def test_more_bits_of_the_result_are_the_networks(tmp_path, encoder, pix_fmt):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 120, 24, "yuv420p"
        frame = av.VideoFrame(120, 24, "yuv420p")
        luma, *chroma = av_planes(frame, native_format("yuv420p"))
        luma[...] = np.round(np.linspace(60, 72, 120))
        for plane in chroma:
            plane[...] = 128
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2), VideoSettings(encoder=encoder))
    (result,) = decoded(tmp_path / "out.mkv")
    assert result.format.name == pix_fmt
    luma, *chroma = av_planes(result, native_format(pix_fmt))
    # 13 levels went in; shifted ones would still be as many.
    assert len(np.unique(luma)) > 30
    assert all(np.abs(plane.astype(int) - plane.flat[0]).max() <= 2 for plane in chroma)

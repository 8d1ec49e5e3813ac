"""Frames reach the encoder in its pixel format and look the same."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.codec import Codec

from tests.video.clips import FAST, LOSSLESS, decoded
from vs_emtcm import PixelFormat, Upscaler, UsageError
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.conversion import choose_conversion
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.ffmpeg import AVCHROMA_LOC_CENTER, AVCHROMA_LOC_LEFT
from vs_emtcm.video.frames import av_planes, native_format, nearest_native
from vs_emtcm.video.packing import repack


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
    [("yuv444p", 0), ("yuv444p", 1), ("yuv444p", 2), ("yuv444p", 3), ("gbrp", 0), ("gbrap", 0)],
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
    assert conversion.chroma_location == (tag or AVCHROMA_LOC_LEFT)
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
    assert np.abs(result.to_ndarray(format="rgb24").astype(int) - (200, 90, 40)).max() <= 1


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
        assert (plane == expected).all()


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


def tagged(pix_fmt, values, *, size=(16, 16), colorspace=1, color_range=1, location=0, primaries=2):
    """A frame with one value in each plane."""
    frame = av.VideoFrame(*size, pix_fmt)
    for plane, value in zip(av_planes(frame, native_format(pix_fmt)), values, strict=True):
        plane[...] = value
    frame.colorspace, frame.color_range, frame.color_primaries = colorspace, color_range, primaries
    frame.chroma_location = location
    frame.pts, frame.time_base, frame.duration = 3, Fraction(1, 25), 2
    return frame


def flat_values(frame):
    """The value of each plane, all of whose samples are the same."""
    planes = av_planes(frame, native_format(frame.format.name))
    assert all(plane.min() == plane.max() for plane in planes)
    return tuple(int(plane.flat[0]) for plane in planes)


@pytest.mark.parametrize("matrix", range(19))
@pytest.mark.parametrize(
    ("source", "values", "color_range", "target", "expected"),
    [
        ("yuvj420p", (90, 100, 150), 2, "yuv420p", (90, 100, 150)),
        ("yuvj420p", (90, 100, 150), 2, "nv12", (90, 100, 150)),
        ("yuv420p10le", (300, 400, 601), 1, "yuv420p", (75, 100, 150)),
        ("yuv444p", (90, 100, 150), 1, "yuv420p", (90, 100, 150)),
        ("yuv420p", (90, 100, 150), 1, "yuv422p10le", (360, 400, 600)),
        ("yuv420p", (90, 100, 150), 1, "gray", (90,)),
    ],
)
def test_every_matrix_stays_where_none_is_needed(source, values, color_range, target, expected, matrix):
    frame = tagged(source, values, colorspace=matrix, color_range=color_range)
    result = choose_conversion(frame, target, range_is_signalled=True)(frame)
    assert result.format.name == target
    assert (result.colorspace, result.color_range, result.pts) == (matrix, color_range, 3)
    assert flat_values(repack(result, nearest_native(target))) == expected


def test_a_film_whose_matrix_ffmpeg_does_not_know_is_written(tmp_path):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
        # BT.2020 with constant luminance.
        stream.codec_context.colorspace, stream.codec_context.color_range = 10, 2
        container.mux(
            stream.encode(tagged("yuvj420p", (90, 100, 150), size=(32, 32), colorspace=10, color_range=2))
        )
        container.mux(stream.encode(None))
    lossless = VideoSettings(encoder=EncoderSettings(options=(("qp", "0"),)))
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), lossless)
    (frame,) = decoded(tmp_path / "out.mkv")
    assert (frame.colorspace, frame.color_range, report.warnings) == (10, 2, ())
    assert flat_values(frame) == (90, 100, 150)
    as_rgb = VideoSettings(encoder=EncoderSettings(codec="ffv1", pix_fmt="gbrp10le"))
    with pytest.raises(
        UsageError, match=r"^the colours are tagged with matrix 10 .* converted to gbrp10le here; choose"
    ):
        upscale_video(source, tmp_path / "rgb.mkv", Upscaler(2, stages=1), as_rgb)


# Red of 75% by each matrix, in limited range of 8 bits: 219 and 224 times the formulas of the standards.
@pytest.mark.parametrize(
    ("matrix", "size", "yuv"),
    [
        (1, (16, 16), (51, 109, 212)),
        (2, (1280, 720), (51, 109, 212)),
        (2, (960, 578), (51, 109, 212)),
        (2, (720, 576), (65, 100, 212)),
        (2, (720, 480), (65, 100, 212)),
        (5, (1280, 720), (65, 100, 212)),
        (6, (1280, 720), (65, 100, 212)),
        (9, (16, 16), (59, 105, 212)),
    ],
)
@pytest.mark.parametrize("target", ["gbrp", "bgr0", "rgb24", "gbrp10le", "gbrp16le"])
def test_yuv_becomes_rgb_by_its_own_matrix_and_untagged_by_that_of_its_size(matrix, size, yuv, target):
    frame = tagged("yuv444p", yuv, size=size, colorspace=matrix)
    result = choose_conversion(frame, target, range_is_signalled=True)(frame)
    assert (result.format.name, result.colorspace, result.color_range) == (target, 0, 2)
    colours = result.to_ndarray(format="rgb24")[0, 0].astype(int)
    assert np.abs(colours - (191, 0, 0)).max() <= 1


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize(
    ("target", "white"),
    [
        *(("yuv444p", (235, 128, 128)), ("yuv420p", (235, 128, 128)), ("yuv444p10le", (940, 512, 512))),
        *(("yuv420p10le", (940, 512, 512)), ("yuv422p12le", (3760, 2048, 2048)), ("gray", (255,))),
    ],
)
def test_white_and_black_of_deep_rgb_are_exact(bits, target, white):
    source = "gbrp" if bits == 8 else f"gbrp{bits}le"
    for level in (0, (1 << bits) - 1):
        frame = tagged(source, (level,) * 3, colorspace=0, color_range=2)
        result = choose_conversion(frame, target, range_is_signalled=True)(frame)
        black = (16 * (white[0] // 235) if len(white) == 3 else 0, *white[1:])
        assert flat_values(result) == (white if level else black)


@pytest.mark.parametrize(("primaries", "matrix"), [(9, 9), (1, 1), (2, 1), (12, 1)])
def test_rgb_with_the_primaries_of_bt2020_gets_its_matrix(primaries, matrix):
    frame = tagged("gbrp10le", (767, 0, 0), colorspace=0, color_range=2, primaries=primaries)
    frame.color_trc = 16
    # 64 + 876 times 0.2627 or 0.2126 of 767 / 1023, to the nearest.
    wanted = round(64 + 876 * {9: 0.2627, 1: 0.2126}[matrix] * 767 / 1023)
    result = choose_conversion(frame, "yuv420p10le", range_is_signalled=True)(frame)
    assert (result.colorspace, result.color_primaries, result.color_trc) == (matrix, primaries, 16)
    assert flat_values(result)[0] == wanted


def test_hdr_rgb_becomes_what_hdr10_expects(tmp_path):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "gbrp10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 0, 2
        frame = tagged("gbrp10le", (1023,) * 3, size=(32, 32), colorspace=0, color_range=2, primaries=9)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    settings = VideoSettings(encoder=EncoderSettings(options=(("qp", "0"),), pix_fmt="yuv420p10le"))
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    (frame,) = decoded(tmp_path / "out.mkv")
    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (9, 9, 16, 1)
    assert flat_values(frame) == (940, 512, 512)


def edge_of_chroma(pix_fmt, location, *, size=(96, 24)):
    """A frame with an edge of chroma in its middle: between two samples, halfway of what they cover."""
    frame = tagged(pix_fmt, (128, 128, 128), size=size, location=location)
    _, blue, _ = av_planes(frame, native_format(pix_fmt))
    columns = blue.shape[1]
    blue[...] = np.where(np.arange(columns) < columns // 2, 100, 160)
    # In pixels of luma: chroma on the first of two, or between both.
    return frame, columns // 2 * 2 - (0 if location == AVCHROMA_LOC_CENTER else 0.5)


def place_of_edge(row):
    steps = np.diff(row.astype(float))
    return (steps * np.arange(1, len(row))).sum() / steps.sum()


@pytest.mark.parametrize("location", [0, 1, 2])
@pytest.mark.parametrize("target", ["yuv444p", "yuv444p10le", "bgr0", "gbrp"])
@pytest.mark.parametrize("size", [(96, 24), (97, 25)])
@pytest.mark.parametrize("source", ["yuv420p", "yuv422p"])
def test_chroma_of_full_size_lies_where_the_smaller_did(source, target, location, size):
    frame, place = edge_of_chroma(source, location, size=size)
    result = choose_conversion(frame, target, range_is_signalled=True)(frame)
    if target.startswith("yuv"):
        row = av_planes(result, native_format(target))[1][8]
    else:
        row = result.to_ndarray(format="rgb24")[8, :, 2]
    assert place_of_edge(row) == pytest.approx(place, abs=0.03)


@pytest.mark.parametrize(("width", "scale"), [(65, 3), (64, 2)])
def test_chroma_of_a_film_lies_right_although_the_encoder_takes_other_sizes(tmp_path, width, scale):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, 33, "yuv420p"
        frame, place = edge_of_chroma("yuv420p", 0, size=(width, 33))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    pix_fmt = "yuv444p" if scale == 2 else None
    settings = VideoSettings(encoder=EncoderSettings(options=(("qp", "0"),), pix_fmt=pix_fmt))
    upscale_video(source, tmp_path / "out.mkv", Upscaler(scale, stages=1), settings)
    (frame,) = decoded(tmp_path / "out.mkv")
    assert frame.format.name == "yuv444p"
    row = av_planes(frame, native_format("yuv444p"))[1][40]
    assert place_of_edge(row) == pytest.approx(place * scale, abs=0.1)


@pytest.mark.parametrize(
    ("location", "fixed", "target", "written"),
    [
        *((2, 1, "yuv422p", 1), (2, 1, "yuv420p", 1), (1, 2, "yuv420p", 2), (0, 2, "yuv422p", 2)),
        # Where nothing would move, the tag stays.
        *((0, 1, "yuv422p", 0), (3, 1, "yuv422p", 3), (2, 1, "yuv444p", 2), (2, None, "yuv422p", 2)),
    ],
)
def test_chroma_moves_to_where_the_codec_has_it(location, fixed, target, written):
    frame, place = edge_of_chroma("yuv422p", location)
    conversion = choose_conversion(frame, target, range_is_signalled=True, fixed_location=fixed)
    assert conversion.chroma_location == written
    # Back in full size, it lies where it did.
    result = conversion(frame)
    full = choose_conversion(result, "yuv444p", range_is_signalled=True)(result)
    assert place_of_edge(av_planes(full, native_format("yuv444p"))[1][8]) == pytest.approx(place, abs=0.03)


def test_motion_jpeg_becomes_h264_with_chroma_in_its_place(tmp_path):
    source = tmp_path / "in.mov"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mjpeg", rate=25, options={"qscale": "1"})
        stream.width, stream.height, stream.pix_fmt = 96, 24, "yuvj422p"
        frame, place = edge_of_chroma("yuvj422p", AVCHROMA_LOC_CENTER)
        frame.color_range = 2
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    settings = VideoSettings(encoder=EncoderSettings(options=(("qp", "0"),)))
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    (frame,) = decoded(tmp_path / "out.mkv")
    assert (frame.format.name, frame.chroma_location) == ("yuvj422p", AVCHROMA_LOC_LEFT)
    full = choose_conversion(frame, "yuv444p", range_is_signalled=True)(frame)
    row = av_planes(full, native_format("yuv444p"))[1][20]
    assert place_of_edge(row) == pytest.approx(2 * place, abs=0.15)


@pytest.mark.parametrize(
    ("source", "values", "target", "expected"),
    [
        ("yuva420p", (90, 100, 150, 51), "yuva444p10le", (360, 400, 600, 205)),
        ("yuva444p10le", (360, 400, 600, 1023), "yuva420p", (90, 100, 150, 255)),
        ("yuva420p", (90, 100, 150, 51), "yuv420p", (90, 100, 150)),
        ("yuv420p", (90, 100, 150), "yuva420p", (90, 100, 150, 255)),
        ("gray", (90,), "yuva444p", (90, 128, 128, 255)),
        ("gbrap", (200, 200, 200, 51), "gbrap16le", (51400, 51400, 51400, 13107)),
        ("gbrap", (255, 255, 255, 0), "yuva444p", (235, 128, 128, 0)),
        ("yuva444p", (235, 128, 128, 77), "gbrap", (255, 255, 255, 77)),
    ],
)
def test_opacity_goes_with_the_colours_or_is_full(source, values, target, expected):
    from_rgb = source.startswith("gbr")
    frame = tagged(source, values, colorspace=0 if from_rgb else 1, color_range=2 if from_rgb else 1)
    assert flat_values(choose_conversion(frame, target, range_is_signalled=True)(frame)) == expected


def encoded_formats():
    """Every pixel format that an encoder of this FFmpeg lists, but those of graphics cards."""
    names = set()
    for name in sorted(av.codecs_available):
        try:
            codec = Codec(name, "w")
        except ValueError:
            continue
        names.update(format.name for format in codec.video_formats or [] if format.components)
    # FFmpeg makes none of these.
    return sorted(names - {"pal8", "yaf16le", "rgbaf16le", "bayer_rggb16le"})


@pytest.mark.parametrize("target", encoded_formats())
def test_every_encoder_gets_its_pixel_format(target):
    sources = {
        "yuv420p": (235, 128, 128),
        "yuv420p10le": (940, 512, 512),
        "gbrp": (255, 255, 255),
        "gbrp10le": (1023, 1023, 1023),
        "gray": (235,),
        "gray10le": (940,),
    }
    for source, white in sources.items():
        rgb = source.startswith("gbr")
        frame = tagged(source, white, size=(18, 10), colorspace=0 if rgb else 1, color_range=2 if rgb else 1)
        result = choose_conversion(frame, target, range_is_signalled=True)(frame)
        assert (result.format.name, result.pts, result.time_base, result.duration) == (
            target,
            3,
            Fraction(1, 25),
            2,
        )
        if result.format.is_rgb:
            # Of RGB with few bits white may be dithered.
            low = max(component.bits for component in result.format.components) < 5
            assert result.to_ndarray(format="rgb24").min() >= (0 if low else 248)
        format = native_format(target)
        if format is not None and format.sample_type == "integer":
            full = result.color_range == 2
            luma = (1 << format.bits) - 1 if full else 235 << (format.bits - 8)
            assert flat_values(result)[0] == luma
            named_full = format.family == "rgb" or target.startswith("yuvj")
            assert result.color_range == (2 if named_full or (rgb and format.family == "gray") else 1)


@pytest.mark.parametrize(
    ("source", "values", "color_range", "level"),
    [
        *(("yuv420p", (235, 128, 128), 1, 255), ("yuv420p", (16, 128, 128), 0, 0), ("gray", (235,), 1, 255)),
        *(
            ("gray", (90,), 2, 90),
            ("gbrp", (255, 255, 255), 2, 255),
            ("yuv420p10le", (940, 512, 512), 1, 255),
        ),
    ],
)
def test_grey_with_opacity_has_full_range(source, values, color_range, level):
    frame = tagged(source, values, color_range=color_range)
    result = choose_conversion(frame, "ya8", range_is_signalled=True)(frame)
    (plane,) = result.planes
    samples = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:16, :32]
    assert (result.format.name, result.color_range) == ("ya8", 2)
    assert (samples[:, ::2] == level).all()
    assert (samples[:, 1::2] == 255).all()


@pytest.mark.parametrize(
    ("source", "values", "target", "expected", "color_range"),
    [
        *(("gray", (90,), "gray", (90,), 2), ("gray", (90,), "gray16le", (23130,), 2)),
        *(("gbrp", (90, 91, 92), "gbrp", (90, 91, 92), 2), ("yuv420p", (90, 128, 128), "gray", (90,), 2)),
        *(
            ("gray", (255,), "yuv420p", (235, 128, 128), 1),
            ("yuv420p", (0, 128, 128), "yuv420p", (16, 128, 128), 1),
        ),
    ],
)
def test_only_yuv_becomes_limited_where_the_range_cannot_be_said(
    source, values, target, expected, color_range
):
    frame = tagged(source, values, color_range=2)
    result = choose_conversion(frame, target, range_is_signalled=False)(frame)
    assert (flat_values(result), result.color_range) == (expected, color_range)


@pytest.mark.parametrize("pix_fmt", ["yuvj420p", "yuvj444p"])
@pytest.mark.parametrize(("code", "expected"), [(16, 0), (235, 255), (126, 128)])
def test_yuv_that_is_named_after_jpeg_has_full_range(pix_fmt, code, expected):
    first = flat("yuv420p", code, color_range=1)
    result = choose_conversion(first, pix_fmt, range_is_signalled=True)(first)
    assert (result.format.name, result.color_range) == (pix_fmt, 2)
    luma = np.frombuffer(result.planes[0], np.uint8).reshape(result.height, -1)[:, : result.width]
    assert (luma == expected).all()

"""A video comes out larger and otherwise the same."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import vapoursynth as vs

from vs_emtcm import EmtcmError, PixelFormat, Upscaler, UsageError, emtcm
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.frames import frame_planes, native_format

LOSSLESS = VideoSettings(encoder=EncoderSettings(codec="ffv1"))
FAST = VideoSettings(encoder=EncoderSettings(preset="ultrafast"))


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def times(path: Path) -> list[Fraction]:
    return [f.pts * Fraction(f.time_base.numerator, f.time_base.denominator) for f in decoded(path)]


def packets(path: Path, kind: str) -> list[tuple[bytes, Fraction]]:
    with av.open(str(path)) as container:
        stream = container.streams.best(kind)
        base = Fraction(stream.time_base.numerator, stream.time_base.denominator)
        return [(bytes(p), p.pts * base) for p in container.demux(stream) if p.size]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_frames_times_and_audio_stay(make_clip, tmp_path, scale, suffix):
    source = make_clip(f"in.{suffix}", frames=30, audio=True)
    target = tmp_path / f"out.{suffix}"
    report = upscale_video(source, target, Upscaler(scale, stages=1), FAST)
    frames = decoded(target)
    assert report.frames == len(frames) == 30
    assert report.size == (frames[0].width, frames[0].height) == (48 * scale, 32 * scale)
    assert times(target) == times(source)
    assert packets(target, "audio") == packets(source, "audio")
    assert report.damage == report.warnings == ()


@pytest.mark.parametrize(
    ("pix_fmt", "codec"),
    [("yuv420p", "libx264"), ("yuv420p10le", "ffv1"), ("yuv444p", "libx264"), ("gray", "ffv1")],
)
def test_video_command_filter_and_upscaler_agree_to_the_bit(make_clip, tmp_path, pix_fmt, codec):
    source = make_clip(pix_fmt=pix_fmt, codec=codec, frames=4)
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2), LOSSLESS)
    core = vs.core
    filtered = emtcm(core.bs.VideoSource(str(source), cachemode=0), 2, lanes=2)
    format = native_format(pix_fmt)
    assert format is not None
    for number, (before, after) in enumerate(
        zip(decoded(source), decoded(tmp_path / "out.mkv"), strict=True)
    ):
        assert after.format.name == pix_fmt
        direct = Upscaler(2).upscale(frame_planes(before, format), format)
        with filtered.get_frame(number) as frame:
            for index, (ours, theirs) in enumerate(zip(frame_planes(after, format), direct, strict=True)):
                np.testing.assert_array_equal(ours, theirs)
                np.testing.assert_array_equal(np.asarray(frame[index]), theirs)


def test_a_variable_frame_rate_stays_variable(make_clip, tmp_path):
    pts = [0, 40, 80, 240, 250, 999]
    source = make_clip(pts=pts, time_base=Fraction(1, 1000))
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert times(tmp_path / "out.mkv") == [Fraction(p, 1000) for p in pts]


@pytest.mark.parametrize("audio", [False, True])
def test_time_goes_on_where_a_joined_recording_starts_it_again(make_clip, tmp_path, audio):
    parts = [make_clip(f"{i}.ts", frames=50, audio=audio) for i in range(2)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    report = upscale_video(joined, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert report.frames == 100
    shown = times(tmp_path / "out.mkv")
    steps = np.diff([float(t) for t in shown])
    assert np.abs(steps - 0.04).max() < 0.03  # audio may outlast the first part's video by a frame
    assert np.abs(np.delete(steps, 49) - 0.04).max() < 0.002
    assert report.warnings == ("timestamps start again within the file; they were continued",)
    assert report.damage == ()
    if audio:
        sounds = packets(tmp_path / "out.mkv", "audio")
        for (data, _), (adts, _) in zip(sounds, packets(joined, "audio"), strict=True):
            assert adts.endswith(data)  # the header of a transport stream's packets is left behind
        assert np.diff([float(t) for _, t in sounds]).min() > 0.01


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


@pytest.mark.parametrize(("codec", "suffix"), [("mpeg2video", "mkv"), ("mpeg2video", "ts"), ("mpeg4", "ts")])
def test_encoders_without_a_fine_time_base_keep_a_constant_rate(make_clip, tmp_path, codec, suffix):
    source = make_clip(f"in.{suffix}", frames=10)
    settings = VideoSettings(encoder=EncoderSettings(codec=codec))
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    shown = [float(t) for t in times(tmp_path / "out.mkv")]
    np.testing.assert_allclose(np.diff(shown), 0.04, atol=0.0015)


def test_avi_keeps_every_frame_of_a_variable_rate(make_clip, tmp_path):
    source = make_clip(pts=[0, 40, 50, 60, 200, 240], time_base=Fraction(1, 1000))
    report = upscale_video(source, tmp_path / "out.avi", Upscaler(2, stages=1), FAST)
    assert report.frames == len(decoded(tmp_path / "out.avi")) == 6


def test_colour_tags_and_aspect_ratio_stay(tmp_path):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        context = stream.codec_context
        context.sample_aspect_ratio = Fraction(32, 27)
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9
        context.color_range = 2
        stream.metadata["title"] = "feature"
        container.metadata["artist"] = "somebody"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode(None))
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    with av.open(str(tmp_path / "out.mkv")) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(video=0))
        assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (9, 16, 9)
        assert frame.color_range == 2
        assert stream.sample_aspect_ratio == Fraction(32, 27)
        assert stream.metadata["title"] == "feature"
        assert container.metadata["ARTIST"] == "somebody"


def test_rotation_stays(make_clip, tmp_path):
    plain, source = make_clip("plain.mp4"), tmp_path / "rotated.mp4"
    with av.open(str(plain)) as before, av.open(str(source), "w") as after:
        stream = after.add_stream_from_template(before.streams.video[0])
        stream.set_display_rotation(90)
        for packet in before.demux(video=0):
            if packet.size:
                packet.stream = stream
                after.mux(packet)
    upscale_video(source, tmp_path / "out.mp4", Upscaler(2, stages=1), FAST)
    assert decoded(source)[0].rotation == decoded(tmp_path / "out.mp4")[0].rotation != 0


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "written"),
    [("bgr0", "ffv1", "yuv444p"), ("yuv422p12le", "ffv1", "yuv422p10le"), ("yuv411p", "ffv1", "yuv422p")],
)
def test_pixel_formats_that_x264_lacks_become_the_nearest(make_clip, tmp_path, pix_fmt, codec, written):
    source = make_clip(pix_fmt=pix_fmt, codec=codec)
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert decoded(tmp_path / "out.mkv")[0].format.name == written


def test_a_truncated_video_yields_what_can_be_decoded(make_clip, tmp_path):
    whole = make_clip(frames=100, width=96, height=96)
    truncated = tmp_path / "truncated.mkv"
    truncated.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    report = upscale_video(truncated, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert 10 < report.frames < 90
    assert report.frames == len(decoded(tmp_path / "out.mkv"))
    assert any("before the duration in its header" in d for d in report.damage)


def test_an_interlaced_video_is_refused_and_leaves_nothing(make_clip, tmp_path):
    source = make_clip(interlaced=True, codec="mpeg2video", frames=3)
    with pytest.raises(EmtcmError, match=r"is interlaced \(frame 0\); deinterlace it first"):
        upscale_video(source, tmp_path / "out.mkv", Upscaler(2), FAST)
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


def test_audio_alone_is_refused(tmp_path):
    source = tmp_path / "sound.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        silence.sample_rate = 48000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    with pytest.raises(UsageError, match="has no video stream"):
        upscale_video(source, tmp_path / "out.mp4", Upscaler(2), FAST)


def test_zero_frames_are_refused_and_leave_nothing(make_clip, tmp_path):
    source = make_clip(frames=0, name="none.mkv")
    with pytest.raises(
        EmtcmError, match=r"none.mkv (holds no frame that can be decoded|cannot be opened as a video)"
    ):
        upscale_video(source, tmp_path / "out.mkv", Upscaler(2), FAST)
    assert not (tmp_path / "out.mkv").exists()


def test_audio_that_the_container_cannot_hold_is_refused(tmp_path):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = container.add_stream("wavpack", rate=44100)
        sound.codec_context.layout = "stereo"
        container.mux(video.encode(av.VideoFrame(32, 32, "yuv420p")))
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 2048), np.float32), "fltp", "stereo")
        silence.sample_rate = 44100
        container.mux(sound.encode(silence))
        container.mux(video.encode(None))
    with pytest.raises(UsageError, match=r"a \.mp4 file cannot hold the source's wavpack audio; use \.mkv"):
        upscale_video(source, tmp_path / "out.mp4", Upscaler(2), FAST)
    assert not (tmp_path / "out.mp4").exists()


def test_progress_counts_every_frame(make_clip, tmp_path):
    seen = []
    upscale_video(
        make_clip(frames=5),
        tmp_path / "out.mkv",
        Upscaler(2),
        FAST,
        lambda done, total: seen.append((done, total)),
    )
    assert [done for done, _ in seen] == [1, 2, 3, 4, 5]
    assert seen[-1][1] == 5


def test_grey_keeps_its_levels_when_it_becomes_yuv(make_clip, tmp_path):
    source = make_clip(pix_fmt="gray", codec="ffv1")
    upscale_video(source, tmp_path / "grey.mkv", Upscaler(2, stages=1), LOSSLESS)
    as_yuv = VideoSettings(encoder=EncoderSettings(codec="ffv1", pix_fmt="yuv420p"))
    upscale_video(source, tmp_path / "yuv.mkv", Upscaler(2, stages=1), as_yuv)
    for grey, yuv in zip(decoded(tmp_path / "grey.mkv"), decoded(tmp_path / "yuv.mkv"), strict=True):
        luma, u, v = frame_planes(yuv, PixelFormat(family="yuv", subsampling=(1, 1)))
        np.testing.assert_array_equal(luma, frame_planes(grey, PixelFormat(family="gray"))[0])
        assert u.min() == u.max() == v.min() == v.max() == 128


def test_codecs_without_crf_are_not_starved(make_clip, tmp_path):
    source = make_clip(frames=20, width=96, height=96)
    mpeg4 = VideoSettings(encoder=EncoderSettings(codec="mpeg4"))
    upscale_video(source, tmp_path / "lossy.mp4", Upscaler(2, stages=1), mpeg4)
    upscale_video(source, tmp_path / "exact.mkv", Upscaler(2, stages=1), LOSSLESS)
    last, exact = (decoded(tmp_path / n)[-1].to_ndarray()[:192] for n in ("lossy.mp4", "exact.mkv"))
    assert np.mean((last.astype(float) - exact) ** 2) < 20


@pytest.mark.parametrize("color_range", [1, 2], ids=["limited", "full"])
def test_motion_jpeg_keeps_the_range(make_clip, tmp_path, color_range):
    source = make_clip(color_range=color_range)
    mjpeg = VideoSettings(encoder=EncoderSettings(codec="mjpeg"))
    upscale_video(source, tmp_path / "jpeg.mov", Upscaler(2, stages=1), mjpeg)
    upscale_video(source, tmp_path / "exact.mkv", Upscaler(2, stages=1), LOSSLESS)
    frame, exact = (decoded(tmp_path / name)[0] for name in ("jpeg.mov", "exact.mkv"))
    assert frame.color_range == exact.color_range == color_range
    luma, wanted = (frame_planes(f, PixelFormat(family="yuv", subsampling=(1, 1)))[0] for f in (frame, exact))
    assert np.abs(luma.astype(int) - wanted).mean() < 2


@pytest.mark.parametrize(
    ("codec", "suffix", "kept"),
    [("libx264", "avi", True), ("ffv1", "mkv", True), ("prores_ks", "mov", False), ("mpeg4", "avi", False)],
)
def test_full_range_looks_the_same_where_it_cannot_be_said(make_clip, tmp_path, codec, suffix, kept):
    source = make_clip(color_range=2, codec="ffv1")
    settings = VideoSettings(encoder=EncoderSettings(codec=codec))
    report = upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), settings)
    assert (
        [w for w in report.warnings if "full range is written as limited" in w] == []
        if kept
        else report.warnings
    )
    upscale_video(source, tmp_path / "exact.mkv", Upscaler(2, stages=1), LOSSLESS)
    frame, exact = (decoded(tmp_path / name)[0] for name in (f"out.{suffix}", "exact.mkv"))
    assert (frame.color_range == 2) == kept
    seen, wanted = (
        f.reformat(format="gray16le", dst_color_range="JPEG").to_ndarray() for f in (frame, exact)
    )
    gain, _ = np.polyfit(wanted.ravel().astype(float), seen.ravel().astype(float), 1)
    assert gain == pytest.approx(1, abs=0.04)


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


def test_yuv_becomes_grey_by_its_luma(tmp_path, make_clip):
    source = make_clip(codec="ffv1", color_range=1)
    as_grey = VideoSettings(encoder=EncoderSettings(codec="ffv1", pix_fmt="gray"))
    upscale_video(source, tmp_path / "yuv.mkv", Upscaler(2, stages=1), LOSSLESS)
    upscale_video(source, tmp_path / "grey.mkv", Upscaler(2, stages=1), as_grey)
    for grey, yuv in zip(decoded(tmp_path / "grey.mkv"), decoded(tmp_path / "yuv.mkv"), strict=True):
        assert grey.color_range == 1
        luma = frame_planes(yuv, PixelFormat(family="yuv", subsampling=(1, 1)))[0]
        np.testing.assert_array_equal(frame_planes(grey, PixelFormat(family="gray"))[0], luma)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "avi"])
def test_a_clock_that_stands_at_any_hour_begins_at_zero(make_clip, tmp_path, suffix):
    source = make_clip(pts=[90_000 * 3600 + 3600 * n for n in range(6)], time_base=Fraction(1, 90_000))
    report = upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), FAST)
    assert report.damage == report.warnings == ()
    shown = [float(t) for t in times(tmp_path / f"out.{suffix}")]
    # AVI gives the time of decoding, a frame or two earlier than is shown.
    np.testing.assert_allclose(shown, np.arange(6) / 25, atol=0.081 if suffix == "avi" else 1e-3)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_of_avi_are_shown_in_step(make_clip, tmp_path, codec):
    source = make_clip("in.avi", codec=codec, frames=12)
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert report.warnings == report.damage == ()
    np.testing.assert_allclose([float(t) for t in times(tmp_path / "out.mkv")], np.arange(12) / 25, atol=1e-3)


def test_avi_has_frames_where_they_are_due(make_clip, tmp_path):
    source = make_clip(pts=[0, 40, 80, 1000, 1040], frames=5, time_base=Fraction(1, 1000))
    upscale_video(source, tmp_path / "out.avi", Upscaler(2, stages=1), VideoSettings())
    with av.open(str(tmp_path / "out.avi")) as container:
        found = [p for p in container.demux(video=0) if p.size]
    shown = [float(p.dts * p.time_base) for p in found]
    frame = float(found[0].time_base)
    np.testing.assert_allclose(shown, [0, 0.04, 0.08, 1, 1.04], atol=1.01 * frame)


@pytest.mark.parametrize(
    ("codec", "suffix", "kept"),
    [("libvpx-vp9", "webm", False), ("ffv1", "mkv", False), ("prores_ks", "mov", True)],
)
def test_a_lost_pixel_aspect_ratio_is_said(make_clip, tmp_path, codec, suffix, kept):
    source = make_clip(ratio=Fraction(16, 11))
    settings = VideoSettings(encoder=EncoderSettings(codec=codec))
    report = upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), settings)
    with av.open(str(tmp_path / f"out.{suffix}")) as container:
        assert (container.streams.video[0].sample_aspect_ratio == Fraction(16, 11)) == kept
    assert any("pixel aspect ratio 16:11 is left out" in warning for warning in report.warnings) != kept


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


def test_text_subtitles_are_left_out_of_a_transport_stream_and_named(make_clip, tmp_path):
    source = tmp_path / "in.mkv"
    with av.open(str(make_clip("film.mkv"))) as film, av.open(str(source), "w") as container:
        video = container.add_stream_from_template(film.streams.video[0])
        text = container.add_mux_stream("subrip")
        text.time_base = Fraction(1, 1000)
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = video
                container.mux(packet)
        line = av.Packet(b"Hello")
        line.stream, line.pts, line.dts, line.duration = text, 40, 40, 100
        container.mux(line)
    assert len(av.open(str(source)).streams.subtitles) == 1
    report = upscale_video(source, tmp_path / "out.ts", Upscaler(2, stages=1), FAST)
    assert report.warnings == ("subtitle stream 1 (subrip) is left out: a .ts file cannot hold it",)
    with av.open(str(tmp_path / "out.ts")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_x265_does_not_write_to_the_terminal(make_clip, tmp_path, capfd):
    for codec in ("libx265", "hevc"):
        settings = VideoSettings(encoder=EncoderSettings(codec=codec))
        upscale_video(make_clip(), tmp_path / f"{codec}.mkv", Upscaler(2, stages=1), settings)
    assert capfd.readouterr() == ("", "")


def test_avi_counts_every_frame_once(make_clip, tmp_path):
    upscale_video(make_clip("in.mp4", frames=8), tmp_path / "out.avi", Upscaler(2, stages=1), FAST)
    with av.open(str(tmp_path / "out.avi")) as container:
        assert container.streams.video[0].average_rate == 25
        assert sum(1 for _ in container.decode(video=0)) == 8


@pytest.mark.parametrize("codec", ["ac3", "flac"])
def test_audio_is_copied_whatever_ffmpeg_calls_its_codec(tmp_path, codec):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = container.add_stream(codec, rate=48000, options={"strict": "-2"})
        sound.codec_context.layout = "stereo"
        container.mux(video.encode(av.VideoFrame(32, 32, "yuv420p")))
        resampler = av.AudioResampler(sound.codec_context.format, "stereo", 48000)
        for start in range(0, 9600, 480):
            tone = np.sin(np.arange(start, start + 480) / 9).astype(np.float32)
            block = av.AudioFrame.from_ndarray(np.stack([tone, tone]), "fltp", "stereo")
            block.sample_rate, block.pts = 48000, start
            for frame in resampler.resample(block):
                container.mux(sound.encode(frame))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    assert packets(source, "audio")
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert packets(tmp_path / "out.mkv", "audio") == packets(source, "audio")

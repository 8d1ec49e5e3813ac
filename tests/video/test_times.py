"""A frame is shown when it was, in whatever file."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.video.clips import FAST, decoded, packets, times, with_rate
from vs_emtcm import Upscaler
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.reader import NO_RATE


def test_a_variable_frame_rate_stays_variable(make_clip, tmp_path):
    pts = [0, 40, 80, 240, 250, 999]
    source = make_clip(pts=pts, time_base=Fraction(1, 1000))
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert times(tmp_path / "out.mkv") == [Fraction(p, 1000) for p in pts]


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", "mkv"), ("mpeg4", "mkv"), ("mpeg4", "mp4")])
def test_a_variable_frame_rate_of_a_fine_clock_stays_variable(make_clip, tmp_path, codec, suffix):
    pts = [0, 3_600, 7_200, 93_601, 97_203, 181_000]
    source = make_clip("in.ts", pts=pts, time_base=Fraction(1, 90_000))
    settings = VideoSettings(encoder=EncoderSettings(codec=codec))
    upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), settings)
    shown = [float(t) for t in times(tmp_path / f"out.{suffix}")]
    np.testing.assert_allclose(shown, np.divide(pts, 90_000), atol=1e-3)


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


@pytest.mark.parametrize("rate", [Fraction(50), Fraction(24000, 1001)])
@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("264", "libx264"), ("hevc", "libx265"), ("m2v", "mpeg2video"), ("m1v", "mpeg1video"), ("m4v", "mpeg4")],
)
@pytest.mark.parametrize("resume", [False, True])
def test_an_elementary_stream_has_the_rate_of_its_headers(tmp_path, suffix, codec, rate, resume):
    source = with_rate(tmp_path / f"in.{suffix}", codec, rate, format="m4v" if suffix == "m4v" else None)
    settings = VideoSettings(encoder=FAST.encoder, resume=resume)
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    assert (report.frames, report.warnings, report.damage) == (12, (), ())
    np.testing.assert_allclose(
        [float(t) for t in times(tmp_path / "out.mkv")], np.arange(12) / float(rate), atol=1e-3
    )
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].average_rate == rate


def test_an_elementary_stream_of_an_unknown_rate_is_said_to_have_one(tmp_path):
    source, told = with_rate(tmp_path / "in.mjpeg", "mjpeg", Fraction(50), pix_fmt="yuvj420p"), []
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST, warn=told.append)
    assert report.warnings == tuple(told) == (NO_RATE,)
    shown = [float(t) for t in times(tmp_path / "out.mkv")]
    np.testing.assert_allclose(shown, np.arange(12) / 25, atol=1e-3)


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


def test_avi_counts_every_frame_once(make_clip, tmp_path):
    upscale_video(make_clip("in.mp4", frames=8), tmp_path / "out.avi", Upscaler(2, stages=1), FAST)
    with av.open(str(tmp_path / "out.avi")) as container:
        assert container.streams.video[0].average_rate == 25
        assert sum(1 for _ in container.decode(video=0)) == 8


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_the_last_picture_stays_as_long_as_it_did(make_clip, tmp_path, suffix):
    source = tmp_path / "in.mp4"
    clip = make_clip(codec="mpeg4", frames=4, pts=[0, 40, 80, 120], time_base=Fraction(1, 1000))
    with av.open(str(clip)) as film, av.open(str(source), "w") as container:
        stream = container.add_stream_from_template(film.streams.video[0])
        for number, packet in enumerate(p for p in film.demux() if p.size):
            packet.stream = stream
            packet.duration = 2000 if number == 3 else 40
            container.mux(packet)
    upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), FAST)
    for path in (source, tmp_path / f"out.{suffix}"):
        with av.open(str(path)) as container:
            assert container.duration / av.time_base == pytest.approx(2.12)

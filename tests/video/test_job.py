"""A video comes out larger and otherwise the same."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import vapoursynth as vs

from tests.video.clips import FAST, LOSSLESS, decoded, packets, times
from vs_emtcm import EmtcmError, Upscaler, UsageError, emtcm
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.frames import av_planes, native_format
from vs_emtcm.video.reader import VideoReader


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
    # Of the time, all three parts took some.
    assert min(report.seconds, report.decode, report.network, report.encode) > 0


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
        direct = Upscaler(2).upscale(av_planes(before, format), format)
        with filtered.get_frame(number) as frame:
            for index, (ours, theirs) in enumerate(zip(av_planes(after, format), direct, strict=True)):
                np.testing.assert_array_equal(ours, theirs)
                np.testing.assert_array_equal(np.asarray(frame[index]), theirs)


def test_video_of_an_unknown_codec_is_one_sentence(make_clip, tmp_path):
    source = make_clip("in.mkv", codec="ffv1", pix_fmt="yuv420p")
    source.write_bytes(source.read_bytes().replace(b"V_FFV1", b"V_XXV1"))
    with pytest.raises(UsageError, match=r"in\.mkv has video that cannot be decoded, as its codec"):
        upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)


def test_colour_tags_and_aspect_ratio_stay(tmp_path):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        context = stream.codec_context
        context.sample_aspect_ratio = Fraction(32, 27)
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9
        context.color_range, context.chroma_sample_location = 2, 3
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
        assert (frame.color_range, frame.chroma_location) == (2, 3)
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


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "libx264"), ("avi", "libx264"), ("avi", "mpeg4")])
def test_a_truncated_video_yields_what_can_be_decoded(make_clip, tmp_path, suffix, codec):
    whole = make_clip(f"whole.{suffix}", codec=codec, frames=100, width=96, height=96)
    truncated = tmp_path / f"truncated.{suffix}"
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
        lambda done, total, _: seen.append((done, total)),
    )
    assert [done for done, _ in seen] == [1, 2, 3, 4, 5]
    assert seen[-1][1] == 5


def test_a_warning_is_known_with_the_first_frame(make_clip, tmp_path):
    source = make_clip(codec="ffv1", pix_fmt="yuva420p", frames=4)
    events = []
    report = upscale_video(
        source,
        tmp_path / "out.mkv",
        Upscaler(2, stages=1),
        FAST,
        lambda done, _total, _resumed: events.append(done),
        events.append,
    )
    assert events == [*report.warnings, 1, 2, 3, 4]


def test_frames_are_counted_by_the_video_and_not_by_its_longer_sound(make_clip, tmp_path):
    source = tmp_path / "in.mkv"
    with av.open(str(make_clip(audio=True, frames=50))) as film, av.open(str(source), "w") as container:
        streams = [container.add_stream_from_template(stream) for stream in film.streams]
        for packet in film.demux():
            if packet.size and (packet.stream_index or packet.pts * packet.time_base < 0.5):
                packet.stream = streams[packet.stream_index]
                container.mux(packet)
    seen = []
    upscale_video(
        source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST, lambda *counts: seen.append(counts)
    )
    done, total, _ = seen[-1]
    assert abs(total - done) <= 1 < 20 > done


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_the_shortest_films_have_their_times_from_x265_as_well(make_clip, tmp_path, frames, suffix):
    source = make_clip(frames=frames)
    settings = VideoSettings(encoder=EncoderSettings(codec="libx265", preset="ultrafast"))
    for attempt in range(4):
        target = tmp_path / f"{attempt}.{suffix}"
        upscale_video(source, target, Upscaler(2, stages=1), settings)
        assert times(target) == times(source)


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


def test_names_with_colons_are_files(make_clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_clip("Alien: a film.mkv", frames=2)
    Path("out: 2x").mkdir()
    upscale_video(Path("Alien: a film.mkv"), Path("out: 2x/b: c.mkv"), Upscaler(2, stages=1), FAST)
    assert len(decoded(tmp_path / "out: 2x" / "b: c.mkv")) == 2


def test_frames_that_are_wrongly_flagged_as_interlaced_can_be_taken_for_progressive(make_clip, tmp_path):
    source = make_clip(interlaced=True, codec="mpeg2video", frames=3)
    settings = VideoSettings(encoder=LOSSLESS.encoder, assume_progressive=True)
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    frames = decoded(tmp_path / "out.mkv")
    assert [f.interlaced_frame for f in frames] == [False] * 3
    assert report.warnings == ("frames are flagged as interlaced; they were taken for progressive",)


@pytest.mark.parametrize(("suffix", "tag"), [("mp4", "hvc1"), ("mov", "hvc1"), ("mkv", "\0\0\0\0")])
def test_hevc_has_the_name_that_apples_players_want(make_clip, tmp_path, suffix, tag):
    settings = VideoSettings(encoder=EncoderSettings(codec="libx265", preset="ultrafast"))
    upscale_video(make_clip(), tmp_path / f"out.{suffix}", Upscaler(2, stages=1), settings)
    with av.open(str(tmp_path / f"out.{suffix}")) as container:
        assert container.streams.video[0].codec_context.codec_tag == tag


def test_a_time_code_is_kept_as_a_tag_and_not_said_to_be_lost(make_clip, tmp_path):
    source = tmp_path / "clip.mov"
    with av.open(str(source), "w") as container, av.open(str(make_clip())) as plain:
        stream = container.add_stream_from_template(plain.streams.video[0])
        stream.metadata["timecode"] = "01:02:03:04"
        for packet in plain.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    report = upscale_video(source, tmp_path / "out.mov", Upscaler(2, stages=1), FAST)
    assert report.warnings == ()
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].metadata["timecode"] == "01:02:03:04"


def test_frames_that_are_worked_on_side_by_side_come_out_as_one_after_the_other(make_clip, tmp_path):
    source = make_clip(frames=7, width=720, height=480, audio=True)
    reports = [
        upscale_video(
            source,
            tmp_path / f"{number}.mkv",
            Upscaler(2, stages=1),
            VideoSettings(encoder=LOSSLESS.encoder, lanes=number),
        )
        for number in (1, 3)
    ]
    assert reports[0].frames == reports[1].frames == 7
    assert reports[0].warnings == reports[1].warnings != ()
    for kind in ("video", "audio"):
        assert packets(tmp_path / "1.mkv", kind) == packets(tmp_path / "3.mkv", kind)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_as_many_lanes_work_as_were_asked_for(make_clip, tmp_path, monkeypatch, lanes):
    at_work = set()
    upscale_into = Upscaler.upscale_into

    def watched(upscaler, *arguments, **options):
        at_work.add(id(upscaler))
        upscale_into(upscaler, *arguments, **options)

    monkeypatch.setattr(Upscaler, "upscale_into", watched)
    settings = VideoSettings(encoder=FAST.encoder, lanes=lanes)
    upscale_video(make_clip(frames=12), tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    assert len(at_work) == lanes


def test_a_short_film_has_no_more_lanes_than_frames(make_clip, tmp_path, monkeypatch):
    made, another = [], Upscaler.another
    monkeypatch.setattr(Upscaler, "another", lambda first: made.append(first) or another(first))
    settings = VideoSettings(encoder=FAST.encoder, lanes=8)
    upscale_video(make_clip(frames=3), tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    assert len(made) == 2


def test_the_decoder_has_as_many_threads_as_were_asked_for(make_clip, tmp_path, monkeypatch):
    asked, begin = [], VideoReader.__init__

    def watched(reader, path, threads=0, **options):
        asked.append(threads)
        begin(reader, path, threads, **options)

    monkeypatch.setattr(VideoReader, "__init__", watched)
    settings = VideoSettings(encoder=FAST.encoder, threads=2)
    upscale_video(make_clip(frames=2), tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    assert asked == [2]


def test_the_source_is_closed_at_the_end(make_clip, tmp_path, monkeypatch):
    closed, close = [], VideoReader.close

    def watched(reader):
        closed.append(reader.path)
        close(reader)

    monkeypatch.setattr(VideoReader, "close", watched)
    source = make_clip(frames=2)
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    with pytest.raises(UsageError):
        upscale_video(source, tmp_path / "out.webm", Upscaler(2, stages=1), FAST)
    assert closed == [source] * 2


def test_floats_stay_floats_to_the_end(make_clip, tmp_path):
    source = tmp_path / "in.nut"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "gbrpf32be"
        frame = av.VideoFrame(32, 16, "gbrpf32be")
        for plane in frame.planes:
            np.frombuffer(plane, ">f4")[:] = 3
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    # FFV1's floats are experimental.
    settings = VideoSettings(encoder=EncoderSettings(codec="ffv1", options=(("strict", "-2"),)))
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    assert report.warnings == ()
    (result,) = decoded(tmp_path / "out.mkv")
    assert result.format.name == "gbrpf32le"
    for plane in av_planes(result, native_format("gbrpf32le")):
        np.testing.assert_allclose(plane, 3, atol=1e-5)


def test_floats_of_an_integer_source_are_as_fine_as_16_bits(make_clip, tmp_path):
    source, results = make_clip(codec="ffv1", pix_fmt="bgr0", frames=1), {}
    for name in ("gbrpf32le", "gbrp16le"):
        encoder = EncoderSettings(codec="ffv1", pix_fmt=name, options=(("strict", "-2"),))
        target = tmp_path / f"{name}.mkv"
        report = upscale_video(source, target, Upscaler(2, stages=1), VideoSettings(encoder=encoder))
        assert report.warnings == ()
        (result,) = decoded(target)
        assert result.format.name == name
        results[name] = np.array(av_planes(result, native_format(name)))
    difference = np.abs(results["gbrpf32le"] - results["gbrp16le"] / 65_535)
    # Half a step of 8 bits is 1/510.
    assert difference.max() < 1 / 2000


def test_integers_of_more_bits_than_can_be_upscaled_are_refused_before_the_work(
    make_clip, tmp_path, monkeypatch
):
    source = make_clip(frames=2)
    monkeypatch.setattr(VideoReader, "items", lambda _: 1 / 0)
    format = SimpleNamespace(name="gray32le")
    begin = VideoReader.__init__

    def watched(reader, path, threads=0, **options):
        begin(reader, path, threads, **options)
        reader.video = SimpleNamespace(format=format, codec_context=reader.video.codec_context)

    monkeypatch.setattr(VideoReader, "__init__", watched)
    for resume in (False, True):
        settings = VideoSettings(encoder=FAST.encoder, resume=resume)
        with pytest.raises(
            UsageError, match="gray32le cannot be upscaled, as its samples are integers of 32"
        ):
            upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


def test_pixel_formats_that_ffmpeg_does_not_read_are_refused_before_work(make_clip, tmp_path):
    source = make_clip("in.nut", codec="rawvideo", pix_fmt="rgb4", frames=2)
    settings = VideoSettings(encoder=FAST.encoder, resume=True)
    with pytest.raises(UsageError, match="rgb4 cannot be upscaled, as FFmpeg does not convert it to others"):
        upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    assert [path.name for path in tmp_path.iterdir()] == ["in.nut"]

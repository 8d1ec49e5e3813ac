"""An interrupted video goes on, and comes out as if it had never been interrupted."""

import os
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.video.clips import decoded, packets, times
from vs_emtcm import EmtcmError, Upscaler, UsageError
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.reader import VideoReader
from vs_emtcm.video.track import VideoTrack
from vs_emtcm.video.workfolder import folder_path


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch):
    monkeypatch.setattr("vs_emtcm.video.workfolder.SEGMENT_FRAMES", 4)


def settings(codec="ffv1", resume=True, **options):
    if codec == "libx264":
        # Its slower presets give other bits from run to run, for the same frames with one thread, because
        # of "mbtree". This one has frames that are decoded before they are shown, too.
        options = {"preset": "superfast", **options}
    return VideoSettings(encoder=EncoderSettings(codec=codec, **options), resume=resume)


def upscale(source, target, given, stop=None, error=KeyboardInterrupt, calls=None):
    def progress(*counts):
        if calls is not None:
            calls.append(counts)
        if counts[0] == stop:
            raise error

    return upscale_video(source, target, Upscaler(2, stages=1), given, progress)


def stored(path):
    """Every packet of every stream, with its times."""
    with av.open(str(path)) as container:
        return [
            (p.stream_index, bytes(p), p.pts, p.dts, p.duration, p.is_keyframe)
            for p in container.demux()
            if p.size
        ]


def pictures(path):
    return [frame.to_ndarray() for frame in decoded(path)]


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("ffv1", "mkv"),
        ("libx264", "mkv"),
        ("libx264", "mp4"),
        ("libx264", "mov"),
        ("libx264", "ts"),
        ("libx264", "avi"),
        ("libx265", "mp4"),
        ("mpeg4", "avi"),
    ],
)
def test_a_resumed_video_is_the_same(make_clip, tmp_path, codec, suffix):
    source = make_clip(frames=22, audio=True)
    plain, whole, cut = (tmp_path / f"{name}.{suffix}" for name in ("plain", "whole", "cut"))
    upscale(source, plain, settings(codec, resume=False))
    assert upscale(source, whole, settings(codec)).resumed == 0
    for stop, done in ((6, 4), (15, 12)):
        with pytest.raises(KeyboardInterrupt, match=f"goes on from frame {done}$"):
            upscale(source, cut, settings(codec), stop)
        assert not cut.exists()
    calls = []
    report = upscale(source, cut, settings(codec), calls=calls)
    assert (report.frames, report.resumed) == (22, 12)
    assert [counts[0] - counts[2] for counts in calls] == [0] * 12 + list(range(1, 11))
    if codec == "libx265":
        # Seen once to give other bits for a part of the same frames.
        assert [p[2:] for p in stored(cut)] == [p[2:] for p in stored(whole)]
    else:
        assert stored(cut) == stored(whole)
    assert times(cut) == times(plain)
    assert packets(cut, "audio") == packets(plain, "audio")
    if codec == "ffv1":
        np.testing.assert_array_equal(pictures(cut), pictures(plain))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize(
    "pts",
    [
        # Long gaps before and after the joins, where the encoder would begin to decode too early.
        [0, 40, 80, 120, 160, 5000, 9000, 9001, 9002, 9003, 20000, 20040, 20041],
        # Neighbours around the joins, without room for an encoder that begins early.
        [0, 90, 180, 181, 182, 183, 184, 185, 275, 276, 277, 278, 368],
        # A clock that does not begin at zero.
        [90_000 + 37 * n for n in range(13)],
    ],
)
def test_times_of_any_kind_go_on(make_clip, tmp_path, suffix, pts):
    source = make_clip("in.mp4", frames=13, pts=pts, time_base=Fraction(1, 1000))
    plain, cut = tmp_path / f"plain.{suffix}", tmp_path / f"cut.{suffix}"
    upscale(source, plain, settings("libx264", resume=False))
    with pytest.raises(KeyboardInterrupt):
        upscale(source, cut, settings("libx264"), 9)
    upscale(source, cut, settings("libx264"))
    assert times(cut) == times(plain)
    # Matroska does not store when frames are decoded.
    found = [(dts, shown) for _, _, shown, dts, *_ in stored(cut) if suffix == "mp4"]
    assert all(dts <= shown for dts, shown in found)
    assert (np.diff([dts for dts, _ in found]) > 0).all()


def test_without_reordering_frames_are_decoded_as_they_are_shown(make_clip, tmp_path):
    target = tmp_path / "out.mp4"
    upscale(make_clip(frames=10), target, settings("libx264", options=(("bf", "0"),)))
    shown, decoded_at = zip(*(packet[2:4] for packet in stored(target)), strict=True)
    assert shown == decoded_at


def test_opacity_of_webm_survives(make_clip, tmp_path):
    source = make_clip(codec="ffv1", pix_fmt="yuva420p", frames=6)
    upscale(source, tmp_path / "out.webm", settings("libvpx-vp9"))
    with av.open(str(tmp_path / "out.webm")) as container:
        assert all(p.has_sidedata("matroska_block_additional") for p in container.demux(video=0) if p.size)


def test_damaged_segments_are_made_again(make_clip, tmp_path):
    source, target = make_clip(frames=14), tmp_path / "out.mkv"
    with pytest.raises(KeyboardInterrupt):
        upscale(source, target, settings(), 13)
    damaged = folder_path(target) / "000001.segment"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    assert upscale(source, target, settings()).resumed == 8
    upscale(source, tmp_path / "plain.mkv", settings(resume=False))
    np.testing.assert_array_equal(pictures(target), pictures(tmp_path / "plain.mkv"))


def test_an_interruption_of_the_joining_loses_nothing(make_clip, tmp_path, monkeypatch):
    source, target = make_clip(frames=10, audio=True), tmp_path / "out.mkv"
    with monkeypatch.context() as patch:
        patch.setattr("vs_emtcm.video.writer.VideoWriter.complete", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            upscale(source, target, settings())
    assert not target.exists()
    assert upscale(source, target, settings()).resumed == 10
    assert len(decoded(target)) == 10


def test_a_disk_that_is_full_is_one_sentence(make_clip, tmp_path, monkeypatch):
    source, target = make_clip(frames=10), tmp_path / "out.mkv"

    def full(descriptor):
        if (folder_path(target) / "000000.segment").exists():
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    message = "writing failed: no space left on device; the same command goes on from frame 4$"
    with pytest.raises(EmtcmError, match=message):
        upscale(source, target, settings())
    monkeypatch.undo()
    monkeypatch.setattr("vs_emtcm.video.workfolder.SEGMENT_FRAMES", 4)
    assert upscale(source, target, settings()).resumed == 4


def test_parts_stay_until_the_film_is_on_the_disk(make_clip, tmp_path, monkeypatch):
    source, target = make_clip(frames=10), tmp_path / "out.mkv"

    def fail(path):
        if path.suffix == target.suffix:
            raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("vs_emtcm.output.sync_file", fail)
        with pytest.raises(
            EmtcmError, match=r"out\.mkv cannot be written: input/output error \(what is done is kept in"
        ):
            upscale(source, target, settings())
    assert not target.exists()
    assert upscale(source, target, settings()).resumed == 10


def test_what_changes_the_frames_is_refused(make_clip, tmp_path):
    source, target = make_clip(frames=6), tmp_path / "out.mkv"
    with pytest.raises(KeyboardInterrupt):
        upscale(source, target, settings(), 5)
    with pytest.raises(UsageError, match=r"\(codec was ffv1, now it is libx264\)"):
        upscale(source, target, settings("libx264"))
    with pytest.raises(UsageError, match=r"\(stages was 1, now it is 2\)"):
        upscale_video(source, target, Upscaler(2), settings())
    os.utime(source, (1, 1))
    with pytest.raises(UsageError, match="the date of the input was"):
        upscale(source, target, settings())
    assert (folder_path(target) / "000000.segment").exists()


def test_an_encoder_that_begins_otherwise_than_before_is_refused(make_clip, tmp_path, monkeypatch):
    source, target = make_clip(frames=6), tmp_path / "out.mkv"
    with pytest.raises(KeyboardInterrupt):
        upscale(source, target, settings(), 5)
    with monkeypatch.context() as patch:
        patch.setattr(VideoTrack, "extradata", b"another")
        with pytest.raises(
            UsageError, match="ffv1 does not begin as it did before, which other --threads can"
        ):
            upscale(source, target, settings())
    assert upscale(source, target, settings()).resumed == 4


def test_threads_may_change(make_clip, tmp_path):
    source, target = make_clip(frames=6), tmp_path / "out.mkv"
    with pytest.raises(KeyboardInterrupt):
        upscale(source, target, settings(), 5)
    assert upscale(source, target, settings(threads=1)).resumed == 4


def test_what_cannot_be_written_is_said_before_any_work(make_clip, tmp_path):
    source = make_clip("in.mp4", frames=6, audio=True)
    calls = []
    with pytest.raises(UsageError, match="cannot hold the source's aac audio"):
        upscale(source, tmp_path / "out.webm", settings("libvpx-vp9"), calls=calls)
    assert not calls
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


def test_a_source_that_gives_other_frames_is_noticed(make_clip, tmp_path, monkeypatch):
    source, target = make_clip(frames=10), tmp_path / "out.mkv"
    with pytest.raises(KeyboardInterrupt):
        upscale(source, target, settings(), 9)
    items = VideoReader.items

    def fewer(reader):
        frames = items(reader)
        next(frames)
        yield from frames

    with monkeypatch.context() as patch:
        patch.setattr(VideoReader, "items", fewer)
        with pytest.raises(EmtcmError, match="did not give the same frames as before around frame 4"):
            upscale(source, target, settings())
    assert upscale(source, target, settings()).resumed == 0
    assert len(decoded(target)) == 10


@pytest.mark.parametrize("number", [3, 77])
def test_a_segment_of_beyond_the_end_is_not_joined(make_clip, tmp_path, number):
    source, target = make_clip(frames=10), tmp_path / "out.mkv"
    with pytest.raises(KeyboardInterrupt):
        upscale(source, target, settings(), 9)
    folder = folder_path(target)
    (folder / f"{number:06}.segment").write_bytes((folder / "000001.segment").read_bytes())
    with pytest.raises(EmtcmError, match="did not give the same frames as before"):
        upscale(source, target, settings())
    upscale(source, target, settings())
    upscale(source, tmp_path / "whole.mkv", settings())
    assert stored(target) == stored(tmp_path / "whole.mkv")


@pytest.mark.parametrize("replaced", [True, False])
def test_sound_never_comes_from_another_file(make_clip, tmp_path, replaced):
    source, other = make_clip("in.mkv", frames=6, audio=True), make_clip("other.mkv", frames=6, audio=True)

    def replace(_done, _total, _resumed):
        if not replaced:
            source.unlink(missing_ok=True)
        elif other.exists():
            other.replace(source)

    with pytest.raises(EmtcmError, match=r"was replaced while|cannot be read any more") as raised:
        upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings(), replace)
    assert not isinstance(raised.value, UsageError)
    assert not (tmp_path / "out.mkv").exists()


def test_an_encoder_that_begins_otherwise_is_refused(make_clip, tmp_path, monkeypatch):
    headers = iter([b"a", b"b"])
    monkeypatch.setattr(VideoTrack, "extradata", property(lambda _: next(headers)))
    source = make_clip(frames=6)
    with pytest.raises(UsageError, match="begins every part with another header; leave --resume out"):
        upscale(source, tmp_path / "out.mkv", settings())
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


def test_other_streams_come_alone_and_in_the_same_order(make_clip):
    parts = [make_clip(f"{i}.ts", frames=50, audio=True) for i in range(2)]
    joined = parts[0].with_name("joined.ts")
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    readers = [VideoReader(joined) for _ in range(2)]
    given = [p for p in readers[0].items() if isinstance(p, av.Packet)]
    alone = list(readers[1].others())
    assert [(bytes(p), p.pts, p.dts) for p in alone] == [(bytes(p), p.pts, p.dts) for p in given] != []

"""A file is read as far as it can be, and what is wrong with it is said."""

import os
from contextlib import closing
from fractions import Fraction

import av
import numpy as np
import pytest
from av.error import InvalidDataError
from av.stream import Disposition

from tests.video.clips import FAST, frames_of, times
from vs_emtcm import EmtcmError, Upscaler
from vs_emtcm.video import upscale_video
from vs_emtcm.video.reader import VideoReader


def test_a_video_that_changes_its_size_is_refused_and_leaves_nothing(make_clip, tmp_path):
    parts = [make_clip(f"{width}.ts", frames=5, width=width) for width in (48, 64)]
    source = tmp_path / "in.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    message = r"in\.ts changes from 48x32 yuv420p to 64x32 yuv420p at frame 5; cut it there first"
    with pytest.raises(EmtcmError, match=message):
        upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["48.ts", "64.ts", "in.ts"]


def test_a_video_that_changes_its_pixel_format_is_refused(make_clip, tmp_path):
    parts = [make_clip(f"{name}.ts", frames=5, pix_fmt=name) for name in ("yuv420p", "yuv422p")]
    source = tmp_path / "in.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(EmtcmError, match="changes from 48x32 yuv420p to 48x32 yuv422p at frame 5"):
        frames_of(VideoReader(source))


def test_frames_of_a_stream_without_times_are_one_frame_apart(make_clip, tmp_path):
    upscale_video(make_clip("clip.h264"), tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    shown = [float(t) for t in times(tmp_path / "out.mkv")]
    np.testing.assert_allclose(shown, np.arange(6) / 25, atol=1e-3)


def test_times_that_do_not_increase_are_corrected_and_told(make_clip, tmp_path):
    source = tmp_path / "in.mkv"
    moments = [0, 40, 40, 120, 160, 200]
    with av.open(str(make_clip(codec="ffv1"))) as film, av.open(str(source), "w") as container:
        stream = container.add_stream_from_template(film.streams.video[0])
        for packet, moment in zip((p for p in film.demux() if p.size), moments, strict=True):
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = moment
            container.mux(packet)
    reader = VideoReader(source)
    assert [frame.pts for frame in frames_of(reader)] == [0, 40, 41, 120, 160, 200]
    assert reader.warnings == ["some timestamps do not increase; they were corrected"]


def packet_with_damage(path, number):
    """Change the middle of a packet of the video, wherever the file has it."""
    with av.open(str(path)) as container:
        packet = [bytes(p) for p in container.demux(video=0) if p.size][number]
    whole = path.read_bytes()
    start = whole.index(packet)
    middle = slice(start + len(packet) // 4, start + len(packet) * 3 // 4)
    changed = bytes(byte ^ 0x5A for byte in whole[middle])
    path.write_bytes(whole[: middle.start] + changed + whole[middle.stop :])


def test_damaged_frames_are_shown_and_told(make_clip):
    source = make_clip("in.avi", codec="mpeg4", frames=20, width=96, height=96)
    packet_with_damage(source, 10)
    reader = VideoReader(source)
    assert len(frames_of(reader)) == 20
    assert reader.damage == ["frames are damaged"]


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
def test_a_packet_that_cannot_be_decoded_costs_its_frame_alone(make_clip, suffix):
    source = make_clip(f"in.{suffix}", codec="ffv1", frames=6)
    packet_with_damage(source, 2)
    # Several would find the damage some packets later.
    reader = VideoReader(source, threads=1)
    shown = [float(frame.pts * frame.time_base) for frame in frames_of(reader)]
    np.testing.assert_allclose(shown, [0, 0.04, 0.12, 0.16, 0.2], atol=1e-3)
    (damage,) = reader.damage
    assert damage.startswith("a packet could not be decoded: ")


def test_frames_before_a_place_that_cannot_be_read_are_kept_and_the_place_is_told(make_clip):
    reader = VideoReader(make_clip(codec="ffv1", frames=6))
    container = reader.container

    class Broken:
        streams = container.streams
        duration, start_time = container.duration, container.start_time
        format = container.format

        def demux(self, streams):
            for number, packet in enumerate(container.demux(streams)):
                if number == 4:
                    raise InvalidDataError(1, "Invalid data found")
                yield packet

    reader.container = Broken()
    assert len(frames_of(reader)) == 4
    assert reader.damage[0] == "reading stopped early: invalid data found"


def test_of_two_videos_the_one_that_the_file_shows_by_default_is_read(make_clip, tmp_path):
    source = tmp_path / "in.mkv"
    with (
        av.open(str(make_clip("small.mkv", width=16, height=16))) as small,
        av.open(str(make_clip("large.mkv"))) as large,
        av.open(str(source), "w") as container,
    ):
        films = [(film, container.add_stream_from_template(film.streams.video[0])) for film in (small, large)]
        films[1][1].disposition = Disposition.default
        for film, stream in films:
            for packet in film.demux():
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
    assert (VideoReader(source).video.index, VideoReader(source).video.width) == (1, 48)


def test_a_file_that_became_shorter_is_not_read_again(make_clip):
    source = make_clip()
    reader = VideoReader(source)
    reader.again().close()
    os.truncate(source, source.stat().st_size - 1)
    with pytest.raises(EmtcmError, match="was replaced while it was read; put back what it was"):
        reader.again()


def test_the_decoder_takes_as_many_threads_as_it_was_given(make_clip):
    assert VideoReader(make_clip(), threads=1).video.codec_context.thread_count == 1


def test_a_file_that_grows_while_it_is_read_is_not_called_whole(make_clip, tmp_path):
    path = make_clip("film.mkv", frames=20)
    with closing(VideoReader(path)) as reader:
        frames = reader.items()
        next(frames)
        with path.open("ab") as file:
            file.write(b"more")
        assert len(list(frames)) == 19
        assert reader.damage == ["it grew while it was read; repeat this when it is complete"]

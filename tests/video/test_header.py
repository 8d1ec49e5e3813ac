"""What the header of a file says of its length is known, and compared with what is found."""

from fractions import Fraction
from types import SimpleNamespace

import av
import pytest

from tests.video.clips import FAST, decoded, frames_of, tagged
from vs_emtcm import Upscaler
from vs_emtcm.video import upscale_video
from vs_emtcm.video.header import frame_rate
from vs_emtcm.video.reader import VideoReader


def test_the_count_of_frames_that_mkvmerge_writes_is_known_before_the_end(make_clip, tmp_path):
    source = tagged(make_clip(), tmp_path / "in.mkv", NUMBER_OF_FRAMES="123")
    assert VideoReader(source).frames == 123
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    # The count of the source's frames is no tag of the result.
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert "NUMBER_OF_FRAMES" not in container.streams.video[0].metadata
    assert len(decoded(tmp_path / "out.mkv")) == 6


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_frames_are_counted_from_where_the_clock_begins(make_clip, suffix):
    pts = [3_600_000 + 40 * n for n in range(20)]
    source = make_clip(f"in.{suffix}", frames=20, pts=pts, time_base=Fraction(1, 1000))
    assert VideoReader(source).frames == pytest.approx(20, abs=1)


@pytest.mark.parametrize("missing", [1, 4, 8])
def test_a_few_frames_less_than_the_header_says_are_no_damage(make_clip, tmp_path, missing):
    source = tagged(make_clip(codec="ffv1", frames=40), tmp_path / "in.mkv", DURATION="00:00:01.600000000")
    # Matroska's muxer writes the duration itself: as if the film were longer than it is.
    data = source.read_bytes()
    said = b"00:00:01.600000000"
    assert data.count(said) == 1
    longer = f"00:00:{1.6 + missing / 25:012.9f}".encode()
    source.write_bytes(data.replace(said, longer))
    reader = VideoReader(source)
    assert len(frames_of(reader)) == 40
    assert bool(reader.damage) == (missing == 8)


@pytest.mark.parametrize("missing", [2, 8])
def test_a_few_frames_of_a_slow_film_are_no_damage(make_clip, tmp_path, missing):
    clip = make_clip(codec="ffv1", frames=10, pts=[1000 * n for n in range(10)], time_base=Fraction(1, 1000))
    source = tagged(clip, tmp_path / "in.mkv")
    with av.open(str(source)) as container:
        said = container.streams.video[0].metadata["DURATION"]
    data = source.read_bytes()
    assert data.count(said.encode()) == 1
    source.write_bytes(data.replace(said.encode(), f"00:00:{10 + missing:012.9f}".encode()))
    reader = VideoReader(source)
    assert len(frames_of(reader)) == 10
    assert bool(reader.damage) == (missing == 8)


def test_a_subtitle_that_outlasts_the_film_is_no_damage(make_clip, tmp_path):
    source = tmp_path / "in.mkv"
    with av.open(str(make_clip())) as film, av.open(str(source), "w") as container:
        video = container.add_stream_from_template(film.streams.video[0])
        text = container.add_mux_stream("subrip")
        text.time_base = Fraction(1, 1000)
        line = av.Packet(b"The end")
        line.stream, line.pts, line.dts, line.duration = text, 40, 40, 10_000
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = video
                container.mux(packet)
        container.mux(line)
    # As by a muxer that writes no tags: the file's duration alone is known, which is the subtitle's.
    source.write_bytes(source.read_bytes().replace(b"DURATION", b"REMARKED"))
    reader = VideoReader(source)
    assert reader.container.duration == 10_040_000
    assert len(frames_of(reader)) == 6
    assert reader.damage == []


@pytest.mark.parametrize(
    ("average", "guessed", "rate"),
    [
        # A remux from Matroska to MP4, whose times are milliseconds.
        (Fraction(256000, 10663), Fraction(24), Fraction(24)),
        (Fraction(24000, 1001), Fraction(24000, 1001), Fraction(24000, 1001)),
        (Fraction(193, 10), Fraction(25), Fraction(193, 10)),
        (None, Fraction(25), Fraction(25)),
        (None, None, Fraction(25)),
    ],
)
def test_a_rate_that_rounded_times_hide_is_found(average, guessed, rate):
    assert frame_rate(SimpleNamespace(average_rate=average, guessed_rate=guessed)) == rate

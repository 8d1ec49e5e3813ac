"""Containers are checked before any work is done."""

from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from tests.video.clips import FAST, decoded, joined, packets
from vs_emtcm import Upscaler, UsageError
from vs_emtcm.errors import WritingError
from vs_emtcm.video import upscale_video
from vs_emtcm.video.reader import VideoReader
from vs_emtcm.video.writer import VideoWriter, check_container, check_container_holds, open_container


@pytest.mark.parametrize(
    ("name", "codec", "message"),
    [
        ("out.xyz", "libx264", "no video container has the suffix '.xyz'"),
        ("out", "libx264", "no video container has the suffix ''"),
        ("out.mp4", "utvideo", "a .mp4 file cannot hold utvideo video; use .avi or .nut or another --codec"),
        ("out.webm", "libx264", "a .webm file cannot hold h264 video"),
        ("out.ts", "ffv1", "a .ts file cannot hold ffv1 video; use .mkv"),
        ("out.m2ts", "libsvtav1", "a .m2ts file cannot hold av1 video; use .mkv"),
    ],
)
def test_what_a_container_cannot_hold_is_refused(tmp_path: Path, name, codec, message):
    with pytest.raises(UsageError, match=message):
        check_container(tmp_path / name, codec)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("decoder", ["dca", "pgssub", "dvdsub", "aac", "srt"])
def test_matroska_holds_streams_whatever_their_decoder_is_called(tmp_path: Path, decoder):
    with open_container(tmp_path / "out.mkv") as container:
        check_container_holds(container, ".mkv", av.codec.Codec(decoder, "r"))


def test_a_program_stream_holds_pictures_and_no_text(tmp_path: Path):
    with open_container(tmp_path / "out.mpg") as container:
        check_container_holds(container, ".mpg", av.codec.Codec("mpeg2video", "w"))
        check_container_holds(container, ".mpg", av.codec.Codec("mp2", "r"))
        with pytest.raises(UsageError, match=r"a \.mpg file cannot hold subrip"):
            check_container_holds(container, ".mpg", av.codec.Codec("srt", "r"))


def test_sound_that_a_transport_stream_cannot_hold_is_refused_before_the_start(make_clip, tmp_path):
    source = tmp_path / "film.mkv"
    with av.open(str(make_clip())) as film, av.open(str(source), "w") as container:
        video = container.add_stream_from_template(film.streams.video[0])
        container.add_stream("pcm_s16le", rate=48000)
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = video
                container.mux(packet)
    with pytest.raises(UsageError, match=r"a \.ts file cannot hold the source's pcm_s16le audio; use \.mkv"):
        upscale_video(source, tmp_path / "out.ts", Upscaler(2, stages=1), FAST)
    assert not (tmp_path / "out.ts").exists()


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_sound_whose_times_step_back_a_little_is_copied_whole(make_clip, tmp_path, suffix):
    source = joined(make_clip("film.ts", frames=20, audio=True), 0.5)
    upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), FAST)
    copied, given = (packets(path, "audio") for path in (tmp_path / f"out.{suffix}", source))
    assert len(copied) == len(given)
    moments = [moment for _, moment in copied]
    assert moments == sorted(moments)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_damaged_packet_of_sound_is_left_out_and_told(make_clip, tmp_path, suffix):
    source = make_clip("film.ts", frames=20, audio=True)
    cells = [source.read_bytes()[i : i + 188] for i in range(0, source.stat().st_size, 188)]
    sound = [i for i, cell in enumerate(cells) if (cell[1] & 31, cell[2]) == (1, 1) and not cell[1] & 64]
    del cells[sound[len(sound) // 2]]
    source.write_bytes(b"".join(cells))
    report = upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), FAST)
    assert report.damage == ("a packet of audio could not be copied",)
    assert len(decoded(tmp_path / f"out.{suffix}")) == 20
    assert packets(tmp_path / f"out.{suffix}", "audio")


def test_a_full_disk_is_no_damaged_packet(make_clip, tmp_path):
    reader = VideoReader(make_clip(audio=True, frames=12))
    items = list(reader.items())
    first = next(item for item in items if isinstance(item, av.VideoFrame))
    sound = next(item for item in items if isinstance(item, av.Packet))
    writer = VideoWriter(tmp_path / "out.mkv", reader, first, FAST.encoder)
    container = writer._container

    def full(_):
        raise av.error.OSError(28, "No space left on device")

    writer._container = SimpleNamespace(format=container.format, mux=full, close=container.close)
    with pytest.raises(WritingError, match="writing failed: no space left on device"):
        writer.write(sound)
    writer.abandon()
    assert reader.damage == []


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov", "out.ts"])
def test_checking_a_container_leaves_no_file(tmp_path: Path, name):
    check_container(tmp_path / name, "libx264")
    assert not list(tmp_path.iterdir())

"""Other streams are copied as far as their times and their data allow."""

from types import SimpleNamespace

import av
import pytest

from tests.video.clips import FAST, decoded, joined, packets
from vs_emtcm import Upscaler, UsageError
from vs_emtcm.errors import WritingError
from vs_emtcm.video import upscale_video
from vs_emtcm.video.reader import VideoReader
from vs_emtcm.video.writer import VideoWriter


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

"""Of a film that was cut without encoding it again, the sound begins where the film does."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.material import run
from tests.video.clips import FAST, packets, times
from vs_emtcm import Upscaler
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.hidden_packets import HiddenPackets, hidden_timestamps

# Where the clip is cut, in seconds.
CUT = Fraction(27, 25)


@pytest.fixture(params=["aac", "libopus"])
def codec(request):
    return request.param


@pytest.fixture
def source(make_clip, tmp_path, codec):
    """Two seconds of video and sound, of which an edit list hides the first 1.08 s."""
    clip, sound = make_clip("clip.mp4", frames=50, audio=True), tmp_path / "sound.mp4"
    with av.open(str(clip)) as film, av.open(str(sound), "w") as container:
        stream = container.add_stream(codec, rate=48000)
        for frame in film.decode(audio=0):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path = tmp_path / "in.mp4"
    with av.open(str(clip)) as film, av.open(str(sound)) as tone, av.open(str(path), "w") as container:
        for stream in (film.streams.video[0], tone.streams.audio[0]):
            target = container.add_stream_from_template(stream, opaque=True)
            target.time_base = stream.time_base
        for number, part in enumerate((film.demux(video=0), tone.demux(audio=0))):
            for packet in (p for p in part if p.size):
                shift = round(CUT / Fraction(packet.time_base.numerator, packet.time_base.denominator))
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = container.streams[number]
                container.mux(packet)
    assert packets(path, "audio")[0][1] < -1
    return path


def heard(path):
    """The samples of the sound, (channels, samples), as FFmpeg plays them, and the time of the first."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1), frames[0].time


@pytest.mark.parametrize("resume", [False, True])
def test_it_sounds_the_same_in_matroska_and_begins_at_zero(source, codec, tmp_path, resume):
    target = tmp_path / "out.mkv"
    settings = VideoSettings(encoder=FAST.encoder, resume=resume)
    report = upscale_video(source, target, Upscaler(2, stages=1), settings)
    assert (report.frames, report.warnings, report.damage) == (23, (), ())
    assert times(target)[0] == 0
    begins = packets(target, "audio")[0][1]
    assert -0.11 < begins < 0
    (before, began), (after, begins) = heard(source), heard(target)
    assert abs(begins - began) < 0.002
    assert before.shape[1] - after.shape[1] in range(-960, 961)  # of the end, Opus says less in Matroska
    # Opus takes a while to forget what it did not get; where the tone breaks off, AAC has random noise.
    np.testing.assert_allclose(after[:, 12_000:40_000], before[:, 12_000:40_000], atol=0.01)
    np.testing.assert_allclose(after[:, :12_000], before[:, :12_000], atol=0.2 if "opus" in codec else 1e-5)


@pytest.mark.parametrize("suffix", ["ts", "nut"])
def test_sound_and_picture_begin_together_in_other_containers(source, tmp_path, suffix):
    target = tmp_path / f"out.{suffix}"
    upscale_video(source, target, Upscaler(2, stages=1), FAST)
    lead = min(times(target)) - packets(target, "audio")[0][1]
    assert 0 < lead < 0.11


def test_containers_with_edit_lists_keep_everything(source, tmp_path):
    target = tmp_path / "out.mp4"
    upscale_video(source, target, Upscaler(2, stages=1), FAST)
    assert [data for data, _ in packets(target, "audio")] == [data for data, _ in packets(source, "audio")]
    assert packets(target, "audio")[0][1] == packets(source, "audio")[0][1]


def test_what_an_encoder_puts_before_the_start_is_kept(make_clip, tmp_path):
    source, target = make_clip("in.mp4", audio=True, frames=10), tmp_path / "out.mkv"
    assert run("upscale", source, target, "--stages", 1).exit_code == 0
    assert [data for data, _ in packets(target, "audio")] == [data for data, _ in packets(source, "audio")]
    assert packets(source, "audio")[0][1] < 0


def test_hidden_packets_amid_a_stream_are_left_out(make_clip):
    source = make_clip("in.mp4", audio=True, frames=10)
    with av.open(str(source)) as container:
        hidden = HiddenPackets(
            source, container.streams.audio[0], hidden_timestamps(container.streams.audio[0])
        )
        sound = [packet for packet in container.demux(audio=0) if packet.size]
    assert [packet.is_discard for packet in sound[:3]] == [True, False, False]
    assert [hidden.leaves_out(packet) for packet in (*sound, sound[0], sound[1])] == [
        *(False for _ in sound),
        True,
        False,
    ]

"""Time goes on where a file starts it again, whichever stream comes first."""

from fractions import Fraction
from types import SimpleNamespace

import av
import pytest

from vs_emtcm.video.timeline import Timeline

STEP = 40


@pytest.fixture
def packets(make_clip):
    """Packets of a video and an audio stream by number, with times of our choice in milliseconds."""
    with av.open(str(make_clip(frames=2, audio=True))) as container:
        streams = container.streams.video[0], container.streams.audio[0]

        def make(stream, time):
            packet = av.Packet(b"x")
            packet.stream = streams[stream]
            packet.time_base, packet.duration = Fraction(1, 1000), STEP
            packet.pts = packet.dts = time
            return packet

        yield make


@pytest.mark.parametrize("first", [0, 1])
def test_streams_stay_together_and_increase_whichever_starts_again_first(packets, first):
    timeline, last = Timeline(Fraction(25)), 1 - first
    order = [(stream, n * STEP) for n in range(99) for stream in (0, 1)]
    # The other stream's last packet comes late, as demuxers give it.
    order += [(first, 99 * STEP), (first, 0), (last, 99 * STEP)]
    order += [(stream, n * STEP) for n in range(9) for stream in (last, first) if (stream, n) != (first, 0)]
    times, restarts = {0: [], 1: []}, 0
    for stream, time in order:
        packet = packets(stream, time)
        restarts += timeline.move(packet)
        assert packet.pts == packet.dts
        times[stream].append(packet.dts)
    assert restarts == 1
    assert times[0] == times[1] == [n * STEP for n in range(109)]


@pytest.mark.parametrize("longer", [0, 1])
def test_what_follows_begins_where_the_longer_stream_ended(packets, longer):
    timeline = Timeline(Fraction(25))
    for stream, end in ((longer, 3000), (1 - longer, 2000)):
        for time in range(0, end, STEP):
            timeline.move(packets(stream, time))
    for stream in (1 - longer, longer):
        packet = packets(stream, 0)
        timeline.move(packet)
        assert packet.dts == 3000


@pytest.mark.parametrize("far", [95_000_000, 20_000])
@pytest.mark.parametrize("first", [0, 1])
def test_a_step_far_ahead_is_a_joint_as_well_where_clocks_may_stand_anywhere(packets, first, far):
    timeline, last = Timeline(Fraction(25), discontinuous=True), 1 - first
    order = [(stream, n * STEP) for n in range(99) for stream in (0, 1)]
    order += [(first, 99 * STEP), (first, far), (last, 99 * STEP), (last, far)]
    order += [(stream, far + n * STEP) for n in range(1, 9) for stream in (last, first)]
    times, restarts = {0: [], 1: []}, 0
    for stream, time in order:
        packet = packets(stream, time)
        restarts += timeline.move(packet)
        times[stream].append(packet.dts)
    assert restarts == 1
    assert times[0] == times[1] == [n * STEP for n in range(109)]


@pytest.mark.parametrize("far", [95_000_000, 20_000, -20_000])
def test_the_last_picture_before_a_joint_may_have_the_time_of_the_first_behind_it(packets, far):
    timeline = Timeline(Fraction(25), Fraction(30), discontinuous=True)
    begin, joint = 30_000, 30_000 + 10 * STEP
    # Decoding, and showing one frame later: so FFmpeg reads MPEG-2 that was joined in a program stream.
    order = [(time, time + STEP) for time in range(begin, joint, STEP)]
    order[-1] = (order[-1][0], far + STEP)
    order += [(far + n * STEP, far + (n + 1) * STEP) for n in range(1, 10)]
    moved, restarts = [], 0
    for decoded, shown in order:
        packet = packets(0, decoded)
        packet.pts = shown
        restarts += timeline.move(packet)
        moved.append((packet.dts, packet.pts))
    assert restarts == 1
    # The decoder gives it the time that is free.
    assert [shown for _, shown in moved] == [n * STEP if n != 10 else None for n in range(1, 20)]
    assert [decoded for decoded, _ in moved] == [n * STEP for n in range(19)]


def test_a_step_far_ahead_is_a_pause_elsewhere(packets):
    timeline = Timeline(Fraction(25))
    for time in (0, 40, 95_000_000):
        packet = packets(0, time)
        assert not timeline.move(packet)
        assert packet.dts == time


def test_sound_that_pauses_while_the_picture_goes_on_is_no_joint(packets):
    timeline = Timeline(Fraction(25), discontinuous=True)
    order = [(1, 0), *((0, n * STEP) for n in range(1000)), (1, 1000 * STEP)]
    for stream, time in order:
        packet = packets(stream, time)
        assert not timeline.move(packet)
        assert packet.dts == time


def test_subtitles_that_come_late_or_stand_long_are_no_joint(packets):
    timeline = Timeline(Fraction(25), discontinuous=True)

    def subtitle(time, duration):
        return SimpleNamespace(
            stream=SimpleNamespace(type="subtitle"),
            stream_index=2,
            time_base=Fraction(1, 1000),
            pts=time,
            dts=time,
            duration=duration,
        )

    order = [packets(0, 0), subtitle(60_000, 60_000), packets(0, STEP), subtitle(STEP, 100)]
    times = [packet.dts for packet in order]
    assert [timeline.move(packet) for packet in order] == [False] * 4
    assert [packet.dts for packet in order] == times
    assert not timeline.move(packets(0, 2 * STEP))
    # What follows begins behind the picture and not behind the line.
    again = packets(0, -2000)
    assert timeline.move(again)
    assert again.dts == 3 * STEP


def test_times_that_are_a_little_out_of_order_stay(packets):
    timeline = Timeline(Fraction(25))
    for time in (0, 400, 200, 600, 5000, 5040):
        packet = packets(0, time)
        assert not timeline.move(packet)
        assert packet.dts == time

"""Frames keep their order in whatever time base they are written."""

from fractions import Fraction

import av

from vs_emtcm.video.frame_times import FrameTimes


def test_frames_closer_than_a_count_become_neighbours():
    times = FrameTimes(Fraction(1, 25))
    found = []
    for pts in (0, 40, 45, 50, 200):
        frame = av.VideoFrame(16, 16, "gray")
        frame.pts, frame.time_base, frame.duration = pts, Fraction(1, 1000), 40
        timed = times(frame)
        assert timed is frame
        assert Fraction(frame.time_base.numerator, frame.time_base.denominator) == Fraction(1, 25)
        found.append((frame.pts, frame.duration))
    assert found == [(0, 1), (1, 1), (2, 1), (3, 1), (5, 1)]

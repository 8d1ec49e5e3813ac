"""Frames keep their order in whatever time base they are written."""

from fractions import Fraction

import av
import pytest

from vs_emtcm.video.track import FrameTimes, _is_encoding_tag


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


@pytest.mark.parametrize(
    ("name", "of_the_encoding"),
    [
        *((name, True) for name in ("DURATION", "BPS-eng", "NUMBER_OF_FRAMES", "encoder", "alpha_mode")),
        *((name, True) for name in ("_STATISTICS_TAGS", "_STATISTICS_WRITING_DATE_UTC-eng")),
        *((name, False) for name in ("title", "language", "HANDLER_NAME", "stereo_mode", "timecode")),
    ],
)
def test_tags_of_the_old_encoding_are_told_from_those_of_the_film(name, of_the_encoding):
    assert _is_encoding_tag(name) == of_the_encoding

"""Frames are counted at rates and in time bases that encoders have."""

from fractions import Fraction

import pytest

from vs_emtcm import UsageError
from vs_emtcm.video.encoder import find_encoder
from vs_emtcm.video.rates import counted_rate, encoder_time_base


@pytest.mark.parametrize(
    ("codec", "rate", "counted"),
    [
        ("mpeg2video", Fraction(24), Fraction(24)),
        ("mpeg2video", Fraction(24001, 1000), Fraction(24)),
        ("mpeg1video", Fraction(19), Fraction(24000, 1001)),
        ("mpeg2video", Fraction(241, 10), Fraction(25)),
        ("mpeg2video", Fraction(23976, 1000), Fraction(24000, 1001)),
        ("libx264", Fraction(19), Fraction(19)),
    ],
)
def test_frames_are_counted_at_a_rate_that_mpeg_has(codec, rate, counted):
    assert counted_rate(find_encoder(codec), rate) == counted


def test_more_frames_than_mpeg_counts_are_refused():
    with pytest.raises(UsageError, match="counts 60 frames a second at most, and the source has 120;"):
        counted_rate(find_encoder("mpeg2video"), Fraction(120))


@pytest.mark.parametrize(
    ("codec", "container", "source", "time_base"),
    [
        ("libx264", "matroska", Fraction(1, 90_000), Fraction(1, 90_000)),
        ("libx264", "avi", Fraction(1, 90_000), Fraction(1, 25)),
        ("mpeg2video", "matroska", Fraction(1, 90_000), Fraction(1, 25)),
        ("mpeg4", "matroska", Fraction(1, 90_000), Fraction(1, 60_000)),
        ("mpeg4", "matroska", Fraction(1, 1000), Fraction(1, 1000)),
    ],
)
def test_the_time_base_is_the_sources_where_the_encoder_has_it(codec, container, source, time_base):
    assert encoder_time_base(find_encoder(codec), container, Fraction(25), source) == time_base

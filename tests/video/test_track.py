"""The video stream of a result keeps what its source says of it."""

from fractions import Fraction
from types import SimpleNamespace

import av
import pytest

from vs_emtcm.video.track import VideoTrack, is_encoding_tag


@pytest.mark.parametrize(
    ("name", "of_the_encoding"),
    [
        *((name, True) for name in ("DURATION", "BPS-eng", "NUMBER_OF_FRAMES", "encoder", "alpha_mode")),
        *((name, True) for name in ("_STATISTICS_TAGS", "_STATISTICS_WRITING_DATE_UTC-eng")),
        *((name, False) for name in ("title", "language", "HANDLER_NAME", "stereo_mode", "timecode")),
    ],
)
def test_tags_of_the_old_encoding_are_told_from_those_of_the_film(name, of_the_encoding):
    assert is_encoding_tag(name) == of_the_encoding


@pytest.mark.parametrize(("dts", "written"), [(-80, -80), (0, 0), (1, 0), (70_000, 0), (-70_000, 0)])
def test_no_frame_is_decoded_after_it_is_shown_or_long_before(dts, written):
    packet = av.Packet(b"x")
    packet.pts, packet.dts, packet.time_base = 0, dts, Fraction(1, 1000)
    track = object.__new__(VideoTrack)
    track.stream = SimpleNamespace(encode=lambda _: [packet])
    assert track.encode(None) == [packet]
    assert (packet.pts, packet.dts) == (0, written)

"""Options of an encoder: what every film needs, and over it what the user asked for."""

import pytest

from vs_emtcm.video.encoder import EncoderSettings, find_encoder
from vs_emtcm.video.track_options import track_options


def options(codec, container="matroska", hdr=None, **settings):
    return track_options(find_encoder(codec), container, EncoderSettings(codec=codec, **settings), hdr or {})


def test_what_was_asked_for_is_what_the_encoder_gets():
    found = options("libx264", crf=21.5, preset="slow", options=(("tune", "film"), ("g", "50")))
    assert found == {"crf": "21.5", "preset": "slow", "tune": "film", "g": "50"}


def test_a_rate_replaces_the_default_quality():
    assert "crf" in options("libx264")
    assert options("libx264", options=(("b", "8M"),)) == {"b": "8M"}


def test_avi_has_no_frames_that_are_decoded_before_they_are_shown():
    assert options("libx264", "avi")["bf"] == "0"
    assert "bf" not in options("libx264")


def test_parameters_of_x265_from_all_sides_come_together():
    hdr = {"x265-params": "max-cll=1000,400"}
    found = options("libx265", hdr=hdr, options=(("x265-params", "aq-mode=3"),))
    assert found["x265-params"].split(":") == ["max-cll=1000,400", "log-level=error", "aq-mode=3"]


@pytest.mark.parametrize(
    ("given", "expected"), [("+ilme", "+a+ilme"), ("-ilme", "+a-ilme"), ("ilme", "ilme")]
)
def test_flags_with_a_sign_are_added(given, expected):
    assert options("libx264", options=(("flags", "+a"), ("flags", given)))["flags"] == expected

"""The video stream of a result keeps what its source says of it."""

import pytest

from vs_emtcm.video.track import is_encoding_tag


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

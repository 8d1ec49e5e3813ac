"""What comes inside of frames and is lost is said."""

import itertools
import re

import pytest

from tests.video.clips import FAST, decoded
from vs_emtcm import Upscaler
from vs_emtcm.video import upscale_video


def with_captions(stream: bytes, first: int) -> bytes:
    """An H.264 stream with closed captions (ATSC A/53) before its slices, from a number on."""
    captions = bytes.fromhex("b5003147413934 03 c1ff fc942c ff")
    unit = b"\0\0\0\1\x06\x04" + bytes([len(captions)]) + captions + b"\x80"
    slices = itertools.count()
    start = re.compile(rb"(?=\x00\x00\x00?\x01[\x65\x41\x01])")
    return start.sub(lambda _: unit if next(slices) // 2 >= first else b"", stream)


@pytest.mark.parametrize("first", [0, 3])
def test_captions_inside_of_the_video_are_said_to_be_lost(make_clip, tmp_path, first):
    source = make_clip("clip.h264")
    source.write_bytes(with_captions(source.read_bytes(), first))
    told = []
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST, warn=told.append)
    assert len([w for w in report.warnings if "CEA-608" in w]) == 1
    assert sorted(told) == sorted(report.warnings)
    assert len(decoded(tmp_path / "out.mkv")) == 6

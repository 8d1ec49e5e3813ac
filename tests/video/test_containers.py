"""Containers are checked before any work is done."""

from pathlib import Path

import av
import pytest

from vs_emtcm import UsageError
from vs_emtcm.video.containers import check_container, check_container_holds, open_container


@pytest.mark.parametrize(
    ("name", "codec", "message"),
    [
        ("out.xyz", "libx264", "no video container has the suffix '.xyz'"),
        ("out", "libx264", "no video container has the suffix ''"),
        ("out.mp4", "utvideo", "a .mp4 file cannot hold utvideo video; use .avi or .nut or another --codec"),
        ("out.webm", "libx264", "a .webm file cannot hold h264 video"),
        ("out.ts", "ffv1", "a .ts file cannot hold ffv1 video; use .mkv"),
        ("out.m2ts", "libsvtav1", "a .m2ts file cannot hold av1 video; use .mkv"),
    ],
)
def test_what_a_container_cannot_hold_is_refused(tmp_path: Path, name, codec, message):
    with pytest.raises(UsageError, match=message):
        check_container(tmp_path / name, codec)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("decoder", ["dca", "pgssub", "dvdsub", "aac", "srt"])
def test_matroska_holds_streams_whatever_their_decoder_is_called(tmp_path: Path, decoder):
    with open_container(tmp_path / "out.mkv") as container:
        check_container_holds(container, ".mkv", av.codec.Codec(decoder, "r"))


def test_a_program_stream_holds_pictures_and_no_text(tmp_path: Path):
    with open_container(tmp_path / "out.mpg") as container:
        check_container_holds(container, ".mpg", av.codec.Codec("mpeg2video", "w"))
        check_container_holds(container, ".mpg", av.codec.Codec("mp2", "r"))
        with pytest.raises(UsageError, match=r"a \.mpg file cannot hold subrip"):
            check_container_holds(container, ".mpg", av.codec.Codec("srt", "r"))


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov", "out.ts"])
def test_checking_a_container_leaves_no_file(tmp_path: Path, name):
    check_container(tmp_path / name, "libx264")
    assert not list(tmp_path.iterdir())

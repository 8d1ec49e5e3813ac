"""Dolby Vision whose pictures are green without it is refused before the work."""

import struct
from fractions import Fraction

import av
import pytest

from tests.material import run
from tests.video.clips import FAST
from vs_emtcm import Upscaler, UsageError
from vs_emtcm.video import upscale_video


@pytest.fixture
def with_record(make_clip):
    """A function that writes a film with a configuration record of Dolby Vision."""

    def make(profile, compatibility):
        path = make_clip("in.mp4", ratio=Fraction(4, 3))
        data = path.read_bytes()
        # PyAV cannot write it: it gets the place of two boxes side by side.
        begin, end = data.index(b"pasp") - 4, data.index(b"btrt") + 16
        size = end - begin
        assert size == 16 + 20
        # Version 1.0; profile, level 6, metadata and base layer are there; compatibility.
        record = struct.pack(">BBHB", 1, 0, profile << 9 | 6 << 3 | 0b101, compatibility << 4)
        box = struct.pack(">I4s", size, b"dvcC") + record.ljust(size - 8, b"\0")
        path.write_bytes(data[:begin] + box + data[end:])
        return path

    return make


@pytest.mark.parametrize("profile", [5, 10, 20])
def test_without_a_compatible_picture_it_is_refused(with_record, tmp_path, profile):
    source = with_record(profile, 0)
    result = run("upscale", source, tmp_path / "out.mkv")
    assert result.exit_code == 2
    assert f"in.mp4 is Dolby Vision of profile {profile}, which would turn green and purple" in result.stderr
    with pytest.raises(UsageError, match="convert it to HDR10 or SDR first"):
        upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(("profile", "compatibility"), [(8, 1), (8, 0), (10, 1), (7, 6), (4, 0)])
def test_with_a_picture_for_every_player_it_is_upscaled(with_record, tmp_path, profile, compatibility):
    source = with_record(profile, compatibility)
    with av.open(str(source)) as container:
        record = container.streams.video[0].codec_context.coded_side_data["dovi_conf"]
    assert (record[2], record[7]) == (profile, compatibility)
    assert upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST).frames == 6

"""Tags that change within a file are noticed."""

import av
import pytest
from av.bitstream import BitStreamFilterContext

from tests.video.clips import frames_of
from vs_emtcm.video.reader import VideoReader
from vs_emtcm.video.tag_changes import COLOURS, RATIO


def retagged(source, target, tag):
    """An H.264 stream in another file, with a tag of its pictures."""
    with av.open(str(source)) as film, av.open(str(target), "w") as container:
        stream = container.add_stream_from_template(film.streams.video[0])
        retag = BitStreamFilterContext(f"h264_metadata={tag}", film.streams.video[0], stream)
        for packet in film.demux():
            for changed in retag.filter(packet if packet.size else None):
                changed.stream = stream
                container.mux(changed)
    return target


@pytest.mark.parametrize(
    ("tag", "values", "sentence"),
    [
        ("video_full_range_flag", ("0", "1"), COLOURS),
        ("matrix_coefficients", ("1", "6"), COLOURS),
        ("colour_primaries", ("1", "6"), COLOURS),
        ("transfer_characteristics", ("1", "6"), COLOURS),
        ("sample_aspect_ratio", ("12/11", "16/11"), RATIO),
    ],
)
def test_tags_that_change_are_named_and_those_that_are_missing_are_not(
    make_clip, tmp_path, tag, values, sentence
):
    clip = make_clip("clip.ts", frames=5)
    one, other = (retagged(clip, tmp_path / "part.ts", f"{tag}={value}").read_bytes() for value in values)
    untagged = clip.read_bytes()

    def lost(*parts):
        source = tmp_path / "in.ts"
        source.write_bytes(b"".join(parts))
        reader = VideoReader(source)
        assert len(frames_of(reader)) == 5 * len(parts)
        return reader.lost

    assert lost(one, other) == lost(untagged, one, untagged, other) == [sentence]
    assert lost(one, one) == lost(untagged, one) == lost(one, untagged) == []

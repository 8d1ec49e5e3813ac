"""The video stream of a result keeps what its source says of it."""

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from tests.video.clips import FAST
from vs_emtcm import Upscaler
from vs_emtcm.video import upscale_video
from vs_emtcm.video.track import VideoTrack, is_encoding_tag, scaled_matrix

# One pixel of a translation, in 16.16 fixed point.
PIXEL = 1 << 16


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


@pytest.mark.parametrize("scale", [2, 3])
def test_a_turned_picture_is_moved_by_as_many_of_its_pixels_as_it_is_larger(make_clip, tmp_path, scale):
    # As phones write it: a quarter turn about the corner, which the height moves back into the picture.
    source, turn = tmp_path / "in.mp4", [0, PIXEL, 0, -PIXEL, 0, 0, 32 * PIXEL, 0, 1 << 30]
    with av.open(str(make_clip("plain.mp4"))) as film, av.open(str(source), "w") as container:
        stream = container.add_stream_from_template(film.streams.video[0])
        stream.set_display_matrix(turn)
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    assert display_matrix(source) == turn
    upscale_video(source, tmp_path / "out.mp4", Upscaler(scale, stages=1), FAST)
    assert display_matrix(tmp_path / "out.mp4") == [*turn[:6], 32 * scale * PIXEL, *turn[7:]]


def display_matrix(path):
    with av.open(str(path)) as container:
        matrix = container.streams.video[0].codec_context.coded_side_data["display_matrix"]
    return np.frombuffer(matrix, np.int32).tolist()


def test_a_translation_that_is_too_far_is_as_far_as_it_can_be():
    matrix = np.array([PIXEL, 0, 0, 0, PIXEL, 0, 20_000 * PIXEL, -20_000 * PIXEL, 1 << 30], np.int32)
    assert scaled_matrix(matrix.tobytes(), 2)[6:8] == [2**31 - 1, -(2**31)]
    assert scaled_matrix(matrix.tobytes(), 1) == matrix.tolist()

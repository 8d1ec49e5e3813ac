"""Untagged colours stay what players take them for, although the size changes."""

import av
import pytest

from tests.video.clips import FAST, decoded
from vs_emtcm import Upscaler
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.untagged import assumed_matrix, tags_that_keep_colours


@pytest.mark.parametrize(
    ("size", "given", "written"),
    [
        ((720, 480), (2, 2), (6, 6)),
        ((720, 576), (2, 2), (5, 5)),
        # Primaries that are known stay; so do those of sizes that no standard has.
        ((720, 480), (2, 9), (6, 9)),
        ((854, 470), (2, 2), (6, 2)),
        # Taken for the same before and after, or tagged.
        ((320, 240), (2, 2), (2, 2)),
        ((1280, 720), (2, 2), (2, 2)),
        ((1024, 600), (2, 2), (2, 2)),
        ((720, 480), (1, 1), (1, 1)),
    ],
)
def test_untagged_colours_stay_what_players_took_them_for(tmp_path, size, given, written):
    source = tmp_path / "source.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_primaries = given
        frame = av.VideoFrame(*size, "yuv420p")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    (frame,) = decoded(tmp_path / "out.mkv")
    assert (frame.colorspace, frame.color_primaries) == written
    assert any("tagged as BT.601" in warning for warning in report.warnings) == (given[0] != written[0])


@pytest.mark.parametrize(("codec", "suffix"), [("mpeg4", "mp4"), ("ffv1", "avi")])
def test_untagged_colours_that_a_file_cannot_name_are_said_to_change(make_clip, tmp_path, codec, suffix):
    source = make_clip(width=720, height=480, frames=1)
    settings = VideoSettings(encoder=EncoderSettings(codec=codec))
    report = upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), settings)
    (frame,) = decoded(tmp_path / f"out.{suffix}")
    assert frame.colorspace == 2
    assert [w for w in report.warnings if "cannot say which" in w]


@pytest.mark.parametrize(
    ("lines", "tags"),
    [(288, (5, 5)), (576, (5, 5)), (240, (6, 6)), (480, (6, 6)), (486, (6, 6)), (488, (6, 6)), (400, (6, 2))],
)
def test_lines_say_which_standard_it_was(lines, tags):
    assert tags_that_keep_colours((2, 2), (704, lines), (2816, 4 * lines)) == tags
    assert tags_that_keep_colours((2, 2), (704, lines), (720, lines)) == (2, 2)


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        *(("ffv1", "mkv"), ("libx265", "mp4"), ("libsvtav1", "mp4"), ("libvpx-vp9", "mp4")),
        *(("mpeg2video", "ts"), ("prores_ks", "mov")),
    ],
)
def test_codecs_and_containers_that_name_their_colours_do(make_clip, tmp_path, codec, suffix):
    source = make_clip(width=720, height=480, frames=1)
    settings = VideoSettings(encoder=EncoderSettings(codec=codec))
    report = upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), settings)
    (frame,) = decoded(tmp_path / f"out.{suffix}")
    assert frame.colorspace == 6
    assert [w for w in report.warnings if "tagged as BT.601" in w]


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((1280, 480), 1),
        ((720, 577), 1),
        ((1920, 1080), 1),
        ((1279, 576), 5),
        ((704, 288), 5),
        ((720, 480), 6),
    ],
)
def test_the_size_says_which_matrix_players_assume(size, matrix):
    assert assumed_matrix(*size) == matrix

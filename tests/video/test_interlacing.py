"""Interlaced video is refused, whether its frames or the file that holds them say so."""

import re

import av
import pytest

from tests.video.clips import FAST, decoded
from vs_emtcm import EmtcmError, Upscaler
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.ffmpeg import AV_FIELD_PROGRESSIVE, AV_FIELD_UNKNOWN
from vs_emtcm.video.interlacing import frames_are_flagged
from vs_emtcm.video.reader import CONTRADICTORY, FLAGGED

# AVFieldOrder: the field that is coded first, and the one that is shown first if that is the other one.
TOP = 2
BOTTOM = 3
TOP_BOTTOM = 4
BOTTOM_TOP = 5
# By encoder: a pixel format, unless that is yuv422p.
PIX_FMTS = {"mjpeg": "yuvj422p", "qtrle": "rgb24", "prores_ks": "yuv422p10le", "libvpx-vp9": "yuv420p"}


@pytest.fixture
def with_fields(tmp_path):
    """A function that writes a film of which the container alone states the order of fields."""

    def make(codec, suffix, field_order):
        path, pix_fmt = tmp_path / f"in.{suffix}", PIX_FMTS.get(codec, "yuv422p")
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 32, pix_fmt
            stream.codec_context.field_order = field_order
            for _ in range(2):
                container.mux(stream.encode(av.VideoFrame(64, 32, pix_fmt)))
            container.mux(stream.encode(None))
        assert not any(frame.interlaced_frame for frame in decoded(path))
        return path

    return make


@pytest.mark.parametrize("codec", ["huffyuv", "ffvhuff", "utvideo", "mjpeg"])
def test_frames_of_these_codecs_have_no_flag(with_fields, codec):
    # PyAV writes most of them into AVI alone, which does not state the order of fields.
    with av.open(str(with_fields(codec, "avi", TOP))) as container:
        assert not frames_are_flagged(container.streams.video[0])


@pytest.mark.parametrize(
    ("codec", "suffix"), [("mjpeg", "mkv"), ("mjpeg", "mov"), ("libvpx-vp9", "mkv"), ("qtrle", "mov")]
)
@pytest.mark.parametrize("field_order", [TOP, BOTTOM, TOP_BOTTOM, BOTTOM_TOP])
def test_what_the_container_says_counts_for_frames_without_a_flag(
    with_fields, tmp_path, codec, suffix, field_order
):
    source = with_fields(codec, suffix, field_order)
    message = re.escape("is interlaced (frame 0); deinterlace it first")
    with pytest.raises(EmtcmError, match=message):
        upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert [path.name for path in tmp_path.iterdir()] == [source.name]
    settings = VideoSettings(encoder=FAST.encoder, assume_progressive=True)
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    assert report.frames == 2
    assert FLAGGED in report.warnings


@pytest.mark.parametrize("field_order", [AV_FIELD_UNKNOWN, AV_FIELD_PROGRESSIVE])
def test_progressive_and_unknown_video_is_upscaled(with_fields, tmp_path, field_order):
    source = with_fields("libvpx-vp9", "mkv", field_order)
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert (report.frames, report.warnings) == (2, ())


@pytest.mark.parametrize("suffix", ["mkv", "mov"])
def test_where_file_and_frames_contradict_each_other_the_frames_count(with_fields, tmp_path, suffix):
    source, told = with_fields("prores_ks", suffix, TOP), []
    settings = VideoSettings(encoder=FAST.encoder)
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings, warn=told.append)
    assert report.frames == 2
    assert [warning for warning in told if "interlaced" in warning] == [CONTRADICTORY]
    settings = VideoSettings(encoder=FAST.encoder, assume_progressive=True)
    report = upscale_video(source, tmp_path / "b.mkv", Upscaler(2, stages=1), settings)
    assert not any("interlaced" in warning for warning in report.warnings)

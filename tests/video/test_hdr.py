"""Static HDR metadata goes through both encoders unchanged."""

import struct

import av
import pytest

from vs_emtcm import Upscaler
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.hdr import StaticHdr, mastering_display, static_hdr

# BT.2020 primaries and D65 in x265's notation, 1000 cd/m2 to 0.0001.
HDR = StaticHdr(
    mastering_display="G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,1)",
    light_level="1000,400",
)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25, options=HDR.encoder_options("libx265"))
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p10le")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("codec", ["libx264", "libx265", "h264", "hevc"])
def test_it_is_kept(source, tmp_path, codec):
    settings = VideoSettings(encoder=EncoderSettings(codec=codec, preset="ultrafast"))
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert static_hdr(next(container.decode(video=0))) == HDR
    assert not report.warnings


def test_it_is_kept_beside_parameters_of_ones_own(source, tmp_path):
    for codec, name in (("libx264", "x264-params"), ("libx265", "x265-params")):
        encoder = EncoderSettings(codec=codec, preset="ultrafast", options=((name, "keyint=1"),))
        target = tmp_path / f"{codec}.mkv"
        upscale_video(source, target, Upscaler(2, stages=1), VideoSettings(encoder=encoder))
        with av.open(str(target)) as container:
            frames = list(container.decode(video=0))
        assert static_hdr(frames[0]) == HDR
        assert all(frame.key_frame for frame in frames)


def test_encoders_that_cannot_are_named(source, tmp_path):
    settings = VideoSettings(encoder=EncoderSettings(codec="ffv1"))
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), settings)
    assert report.warnings == (
        "static HDR metadata is left out: ffv1 does not write it here, libx264 and libx265 do",
    )


@pytest.mark.parametrize(
    "hdr",
    [
        StaticHdr(mastering_display=HDR.mastering_display, light_level=None),
        StaticHdr(mastering_display=None, light_level=HDR.light_level),
    ],
    ids=["display", "light"],
)
def test_half_of_it_is_kept_as_well(tmp_path, hdr):
    path = tmp_path / "half.mkv"
    assert hdr.encoder_options("libx265")["x265-params"].count("=") == 1
    with av.open(str(path), "w") as container:
        # x265 would write the other half as zeros.
        stream = container.add_stream("libx264", rate=25, options=hdr.encoder_options("libx264"))
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p10le")))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        assert static_hdr(next(container.decode(video=0))) == hdr


@pytest.mark.parametrize(
    ("denominator", "flags", "known"),
    [(50_000, (1, 1), True), (0, (1, 1), False), (50_000, (1, 0), False), (50_000, (0, 1), False)],
)
def test_a_mastering_display_that_is_not_whole_is_none(denominator, flags, known):
    numbers = [*(1000, 50_000) * 9, 1000, denominator, *flags]
    assert (mastering_display(struct.pack("<22i", *numbers)) is not None) == known


def test_ordinary_frames_have_none():
    assert static_hdr(av.VideoFrame(8, 8, "yuv420p")) is None

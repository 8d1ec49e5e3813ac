"""Encoder settings are checked before any work is done."""

import av
import pytest

from tests.video.clips import decoded
from vs_emtcm import Upscaler, UsageError
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.encoder import EncoderSettings, check_encoder, choose_pix_fmt


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"codec": "nope"}, "codec 'nope' is not a known encoder"),
        ({"codec": "aac"}, "encodes audio, not video"),
        ({"codec": "ffv1", "crf": 20}, "ffv1 has no crf; leave --crf out"),
        ({"codec": "ffv1", "preset": "slow"}, "ffv1 has no preset"),
        ({"preset": "sluggish"}, "no preset 'sluggish'; accepted are ultrafast"),
        ({"pix_fmt": "rgb24"}, "does not take the pixel format 'rgb24'; accepted are yuv420p"),
    ],
)
def test_what_an_encoder_lacks_is_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        check_encoder(EncoderSettings(**settings))


def test_the_sources_pixel_format_is_kept_where_the_encoder_takes_it():
    x264 = av.codec.Codec("libx264", "w")
    for name in ("yuv420p", "yuv422p", "yuv444p10le", "gray"):
        assert choose_pix_fmt(x264, name, 64, 64) == name
    assert choose_pix_fmt(x264, "yuvj420p", 64, 64) == "yuv420p"


@pytest.mark.parametrize(
    ("source", "size", "written"),
    [
        ("yuv420p", (99, 94), "yuv444p"),
        ("yuv420p10le", (100, 93), "yuv422p10le"),
        ("yuv422p", (99, 94), "yuv444p"),
        ("yuv422p", (100, 93), "yuv422p"),
        ("gray", (99, 93), "gray"),
    ],
)
def test_x264_takes_chroma_that_divides_the_size(source, size, written):
    assert choose_pix_fmt(av.codec.Codec("libx264", "w"), source, *size) == written
    assert choose_pix_fmt(av.codec.Codec("ffv1", "w"), source, *size) == source


def test_options_of_the_encoder_reach_it(make_clip, tmp_path):
    encoder = EncoderSettings(options=(("g", "2"), ("x264-params", "bframes=0")))
    upscale_video(make_clip(), tmp_path / "out.mkv", Upscaler(2, stages=1), VideoSettings(encoder=encoder))
    assert [f.key_frame for f in decoded(tmp_path / "out.mkv")] == [True, False] * 3


def test_x265_does_not_write_to_the_terminal(make_clip, tmp_path, capfd):
    for codec in ("libx265", "hevc"):
        settings = VideoSettings(encoder=EncoderSettings(codec=codec))
        upscale_video(make_clip(), tmp_path / f"{codec}.mkv", Upscaler(2, stages=1), settings)
    assert capfd.readouterr() == ("", "")


def test_the_time_base_is_not_to_be_chosen():
    with pytest.raises(UsageError, match="time_base follows from the source"):
        check_encoder(EncoderSettings(options=(("time_base", "1/3"),)))

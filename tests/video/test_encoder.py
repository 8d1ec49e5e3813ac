"""Encoder settings are checked before any work is done."""

import pytest

from tests.video.clips import decoded, packets
from vs_emtcm import Upscaler, UsageError
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.encoder import EncoderSettings, check_encoder


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"codec": "nope"}, "codec 'nope' is not a known encoder"),
        ({"codec": "aac"}, "encodes audio, not video"),
        ({"codec": "ffv1", "crf": 20}, "ffv1 has no crf; leave --crf out"),
        ({"codec": "ffv1", "preset": "slow"}, "ffv1 has no preset"),
        ({"preset": "sluggish"}, "no preset 'sluggish'; accepted are ultrafast"),
        ({"pix_fmt": "rgb24"}, "does not take the pixel format 'rgb24'; accepted are yuv420p"),
        (
            {"options": (("time_base", "1/5"),)},
            "time_base follows from the source",
        ),
        (
            {"options": (("video_size", "9x9"),)},
            "video_size follows from the source and --scale",
        ),
        ({"options": (("pixel_format", "gray"),)}, "use --pix-fmt"),
        ({"crf": 20, "options": (("x264-params", "ref=1:crf=30"),)}, "x264-params exclude each other"),
        (
            {"crf": 20, "codec": "libx265", "options": (("x265-params", "qp=9"),)},
            "x265-params exclude each other",
        ),
        (
            {"crf": 20, "codec": "libx265", "options": (("x265-params", "aq-mode=3:bitrate=900"),)},
            "x265-params exclude each other",
        ),
        ({"options": (("field_order", "tt"),)}, "field_order is that of upscaled frames"),
        ({"codec": "libx265", "preset": "sluggish"}, "no preset 'sluggish'; accepted are ultrafast"),
        ({"codec": "libsvtav1", "preset": "99"}, "no preset '99'; accepted are -"),
        ({"codec": "libsvtav1", "preset": "-99"}, "no preset '-99'; accepted are -"),
        ({"codec": "libsvtav1", "preset": "slow"}, "no preset 'slow'; accepted are -"),
        # It takes every one there is.
        ({"codec": "rawvideo", "pix_fmt": "yuv420"}, "pixel format 'yuv420' does not exist; see"),
    ],
)
def test_what_an_encoder_lacks_is_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        check_encoder(EncoderSettings(**settings))


@pytest.mark.parametrize("preset", ["-1", "0", "8"])
def test_presets_that_are_numbers_are_taken(preset):
    check_encoder(EncoderSettings(codec="libsvtav1", preset=preset))


def test_options_of_the_encoder_reach_it(make_clip, tmp_path):
    encoder = EncoderSettings(options=(("g", "2"), ("x264-params", "bframes=0")))
    upscale_video(make_clip(), tmp_path / "out.mkv", Upscaler(2, stages=1), VideoSettings(encoder=encoder))
    assert [f.key_frame for f in decoded(tmp_path / "out.mkv")] == [True, False] * 3


def test_quality_preset_and_threads_reach_the_encoder(make_clip, tmp_path):
    source = make_clip(width=320, height=240, frames=2)
    encoder = EncoderSettings(crf=30.5, preset="ultrafast", threads=1)
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), VideoSettings(encoder=encoder))
    # x264 writes into the stream what it was told.
    told = b"".join(data for data, _ in packets(tmp_path / "out.mkv", "video"))
    assert b" crf=30.5 " in told
    assert b" threads=1 " in told
    assert b" cabac=0 " in told


@pytest.mark.parametrize("name", ["x264-params", "x264opts"])
def test_a_quality_inside_of_x264s_own_parameters_is_the_quality(make_clip, tmp_path, name):
    source = make_clip(width=160, height=120, frames=12)
    sizes = {}
    for quality in (20, 45):
        encoder = EncoderSettings(preset="ultrafast", options=((name, f"crf={quality}"),))
        target = tmp_path / f"{quality}.mkv"
        upscale_video(source, target, Upscaler(2, stages=1), VideoSettings(encoder=encoder))
        sizes[quality] = sum(len(data) for data, _ in packets(target, "video"))
    assert sizes[45] < 0.5 * sizes[20]


def test_x265_does_not_write_to_the_terminal(make_clip, tmp_path, capfd):
    for codec in ("libx265", "hevc"):
        settings = VideoSettings(encoder=EncoderSettings(codec=codec))
        upscale_video(make_clip(), tmp_path / f"{codec}.mkv", Upscaler(2, stages=1), settings)
    assert capfd.readouterr() == ("", "")


def test_the_time_base_is_not_to_be_chosen():
    with pytest.raises(UsageError, match="time_base follows from the source"):
        check_encoder(EncoderSettings(options=(("time_base", "1/3"),)))

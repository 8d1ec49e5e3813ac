"""Every encoder is told a constant quality in its own way."""

import pytest
from av.codec import Codec, codecs_available
from av.codec.codec import UnknownCodecError

from vs_emtcm import UsageError
from vs_emtcm.video.encoder import EncoderSettings, check_encoder, encoder_options, general_options
from vs_emtcm.video.quality import HARDWARE_QUALITY, quality_options


def encodes(name: str) -> bool:
    try:
        return Codec(name, "w").type == "video"
    except UnknownCodecError:
        return False


HARDWARE = sorted(n for n in codecs_available if n.endswith(tuple(HARDWARE_QUALITY)) and encodes(n))


def options(codec: str, crf: float | None = None) -> dict[str, str]:
    return quality_options(codec, frozenset(encoder_options(codec)), crf)


def test_crf_is_18_unless_another_is_given():
    assert options("libx264") == {"crf": "18"}
    assert options("libx265", 22.5) == {"crf": "22.5"}


def test_lossless_encoders_are_told_nothing():
    assert options("ffv1") == {}


@pytest.mark.skipif(not HARDWARE, reason="this FFmpeg has no encoders of graphics cards")
@pytest.mark.parametrize("codec", [name for name in HARDWARE if name != "mjpeg_qsv"])
@pytest.mark.parametrize("crf", [1, 20, 51])
def test_encoders_of_graphics_cards_know_what_they_are_told(codec, crf):
    check_encoder(EncoderSettings(codec=codec, crf=crf))
    told = options(codec, crf)
    assert f"{crf}" in told.values()
    own = encoder_options(codec)
    for name, value in told.items():
        assert name in own or name in general_options(codec)
        if name == "rc":
            assert value in {choice.name for choice in own[name].choices}
        elif name in own:
            assert own[name].min <= float(value) <= own[name].max


def test_nvenc_is_told_a_quality_and_no_bit_rate():
    told = quality_options("hevc_nvenc", frozenset({"rc", "cq"}), 23)
    assert told == {"rc": "vbr", "cq": "23", "b": "0"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"codec": "libvpx", "crf": 64}, "crf is 64; libvpx takes 0 to 63"),
        ({"codec": "mpeg4", "crf": 20}, "mpeg4 has no crf; leave --crf out"),
        # These take 0 for "automatic", or higher for better.
        ({"codec": "hevc_nvenc", "crf": 0}, "hevc_nvenc takes 1 to 51"),
        ({"codec": "mjpeg_qsv", "crf": 20}, "mjpeg_qsv has no crf"),
        ({"crf": 20, "options": (("b", "1M"),)}, "--crf and --encoder-option b exclude each other"),
        ({"options": (("tuna", "film"),)}, "libx264 has no option tuna; 'ffmpeg -h encoder=libx264' lists"),
    ],
)
def test_what_an_encoder_does_not_take_is_refused(given, message):
    with pytest.raises(UsageError, match=message):
        check_encoder(EncoderSettings(**given))

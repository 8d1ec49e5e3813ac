"""Every encoder is told a constant quality in its own way."""

import numpy as np
import pytest
from av.codec import Codec, codecs_available
from av.codec.codec import UnknownCodecError

from tests.video.clips import LOSSLESS, decoded
from vs_emtcm import Upscaler, UsageError
from vs_emtcm.video import VideoSettings, upscale_video
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


def test_ffmpegs_own_encoders_are_told_a_quantiser_of_2():
    # In FFmpeg's units (FF_QP2LAMBDA), as "-q:v 2".
    assert options("mpeg4") == {"flags": "+qscale", "global_quality": "236"}
    assert options("libvpx") == {"crf": "18", "b": "1000M"}


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


@pytest.mark.parametrize(
    ("codec", "told"),
    [
        ("hevc_nvenc", {"rc": "vbr", "cq": "23", "b": "0"}),
        ("h264_qsv", {"global_quality": "23"}),
        ("hevc_amf", {"rc": "cqp", "qp_i": "23", "qp_p": "23"}),
        ("av1_amf", {"rc": "qvbr", "qvbr_quality_level": "23"}),
        ("mjpeg_qsv", {}),
    ],
)
def test_graphics_cards_are_told_a_quality_and_no_bit_rate(codec, told):
    assert quality_options(codec, frozenset({"rc", "cq"}), 23) == told


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libsvtav1"])
def test_the_highest_factor_is_the_encoders(codec):
    highest = encoder_options(codec)["crf"].max
    check_encoder(EncoderSettings(codec=codec, crf=highest))
    with pytest.raises(UsageError, match=f"crf is {highest + 1:g}; {codec} takes 0 to {highest:g}"):
        check_encoder(EncoderSettings(codec=codec, crf=highest + 1))


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


@pytest.mark.parametrize("codec", ["mpeg4", "msmpeg4", "libvpx", "snow"])
def test_no_codec_is_starved(make_clip, tmp_path, codec):
    source = make_clip(frames=20, width=96, height=96)
    lossy = VideoSettings(encoder=EncoderSettings(codec=codec))
    upscale_video(source, tmp_path / "lossy.mkv", Upscaler(2, stages=1), lossy)
    upscale_video(source, tmp_path / "exact.mkv", Upscaler(2, stages=1), LOSSLESS)
    last, exact = (decoded(tmp_path / n)[-1].to_ndarray()[:192] for n in ("lossy.mkv", "exact.mkv"))
    assert np.mean((last.astype(float) - exact) ** 2) < 20


def test_whoever_asks_for_a_quantiser_or_a_rate_gets_it(make_clip, tmp_path):
    source = make_clip(frames=3, width=64, height=64)
    sizes = {}
    for options in ((), (("qp", "0"),), (("qp", "51"),)):
        encoder = EncoderSettings(options=options)
        target = tmp_path / f"{len(sizes)}.mkv"
        upscale_video(source, target, Upscaler(2, stages=1), VideoSettings(encoder=encoder))
        sizes[options] = target.stat().st_size
    usual, lossless, worst = sizes.values()
    assert worst < usual / 4 < lossless / 5


def test_flags_are_added_to_those_that_keep_an_encoder_from_starving(make_clip, tmp_path):
    source = make_clip(frames=3, width=96, height=96)
    sizes = []
    for options in ((), (("flags", "+mv4"),), (("flags", "-mv4"),)):
        target = tmp_path / f"{len(sizes)}.mkv"
        encoder = EncoderSettings(codec="mpeg4", options=options)
        upscale_video(source, target, Upscaler(2, stages=1), VideoSettings(encoder=encoder))
        sizes.append(target.stat().st_size)
    assert min(sizes) > 0.8 * max(sizes)

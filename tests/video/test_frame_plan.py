"""What the encoded frames lose is said."""

from vs_emtcm import Upscaler
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.encoder import EncoderSettings


def test_bits_that_the_encoder_has_no_room_for_are_said_to_be_lost(make_clip, tmp_path):
    source = make_clip(pix_fmt="yuv420p10le", codec="ffv1", frames=2)
    asked = {"pix_fmt": "yuv420p"}
    for codec, options, lost in (("mjpeg", {}, True), ("libx265", {}, False), ("mjpeg", asked, False)):
        encoder = EncoderSettings(codec=codec, **options)
        report = upscale_video(
            source, tmp_path / f"{codec}{lost}.mkv", Upscaler(2, stages=1), VideoSettings(encoder=encoder)
        )
        told = "10 bits are written as 8: mjpeg takes no more; --codec libx265 or ffv1 may"
        assert (told in report.warnings) == lost

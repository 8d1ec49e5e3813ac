"""The pixel format that is encoded loses as little as the encoder allows."""

import av
import pytest

from vs_emtcm.video.pix_fmts import choose_pix_fmt


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

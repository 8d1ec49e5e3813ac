"""What a PNG file says of its colours stays, or its loss is said."""

import struct

import numpy as np
import pytest
from PIL import Image

from tests.pictures.samples import PROFILE, RGB, UPSCALER, chunk, save_png
from vs_emtcm.pictures import upscale_picture
from vs_emtcm.pictures.png_chunks import colour_chunks, is_plain_srgb, pixels_start

LINEAR = (b"gAMA", struct.pack(">I", 100_000))
SRGB_GAMMA = (b"gAMA", struct.pack(">I", 45_455))
DISPLAY_P3 = (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
SRGB = (b"sRGB", b"\0")
PQ = (b"cICP", bytes([9, 16, 0, 1]))


def tagged(path, chunks, bits):
    """A colour PNG file with these chunks behind its header."""
    pixels = RGB.astype(np.uint16) * 257 if bits == 16 else RGB
    if bits == 16:
        save_png(path, pixels, 2)
    else:
        Image.fromarray(pixels).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:33] + b"".join(chunk(*each) for each in chunks) + data[33:])
    return path


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("chunks", [(), (LINEAR,), (LINEAR, DISPLAY_P3), (SRGB, SRGB_GAMMA), (PQ,)])
def test_png_to_png_keeps_them(tmp_path, bits, chunks):
    source = tagged(tmp_path / "in.png", chunks, bits)
    picture = upscale_picture(source, tmp_path / "out.png", UPSCALER)
    assert picture.warnings == ()
    assert sorted(colour_chunks(tmp_path / "out.png")) == sorted(chunks)
    with Image.open(tmp_path / "out.png") as image:
        assert image.info.get("gamma") == (
            None if not chunks or PQ in chunks else pytest.approx(1.0 if LINEAR in chunks else 0.45455)
        )


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize(
    ("chunks", "lost"),
    [((LINEAR, DISPLAY_P3), "gAMA, cHRM"), ((PQ,), "cICP"), ((SRGB_GAMMA, DISPLAY_P3), "gAMA, cHRM")],
)
def test_other_kinds_say_what_is_lost(tmp_path, suffix, chunks, lost):
    source, target = tagged(tmp_path / "in.png", chunks, 8), tmp_path / f"out{suffix}"
    (warning,) = upscale_picture(source, target, UPSCALER).warnings
    assert warning == f"{target} cannot hold what says of {source}'s colours ({lost}); .png can"


@pytest.mark.parametrize("chunks", [(SRGB,), (SRGB, SRGB_GAMMA), (SRGB_GAMMA,)])
def test_srgb_is_what_other_kinds_are_taken_for(tmp_path, chunks):
    source = tagged(tmp_path / "in.png", chunks, 8)
    assert is_plain_srgb(colour_chunks(source))
    assert upscale_picture(source, tmp_path / "out.jpg", UPSCALER).warnings == ()


def test_a_profile_says_more_than_gamma(tmp_path):
    source = tmp_path / "in.png"
    Image.fromarray(RGB).save(source, icc_profile=PROFILE)
    data = source.read_bytes()
    source.write_bytes(data[:33] + chunk(*LINEAR) + data[33:])
    assert upscale_picture(source, tmp_path / "out.jpg", UPSCALER).warnings == ()


def test_a_file_that_ends_early_or_is_none_has_none(tmp_path):
    path = tagged(tmp_path / "in.png", (LINEAR,), 8)
    whole = path.read_bytes()
    for length in range(40):
        path.write_bytes(whole[:length])
        assert colour_chunks(path) == ()
    path.write_bytes(b"GIF89a" + whole)
    assert colour_chunks(path) == ()


def test_a_stream_without_pixels_is_refused():
    with pytest.raises(ValueError, match="no pixels"):
        pixels_start(b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""))

"""What is read, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from tests.material import codes
from tests.pictures.samples import RGB, RGBA, UPSCALER, save
from vs_emtcm import UsageError
from vs_emtcm.errors import DamagedError
from vs_emtcm.pictures import read_picture, upscale_picture


def test_transparency_of_palettes_is_kept(tmp_path):
    picture = Image.fromarray(RGB).quantize(8)
    picture.save(tmp_path / "in.png", transparency=0)
    upscale_picture(tmp_path / "in.png", tmp_path / "out.png", UPSCALER)
    with Image.open(tmp_path / "out.png") as after:
        assert after.mode == "RGBA"


def test_a_palette_with_opacity_beside_it_is_taken(tmp_path):
    picture = Image.fromarray(RGBA).convert("PA")
    picture.save(tmp_path / "in.tif")
    with Image.open(tmp_path / "in.tif") as stored:
        assert stored.mode == "PA"
    found = read_picture(tmp_path / "in.tif")
    assert found.mode == "RGBA"
    np.testing.assert_array_equal(found.pixels, np.asarray(picture.convert("RGBA")))


def test_a_picture_that_pillow_takes_for_an_attack_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UsageError, match=r"in\.png is too large: "):
        read_picture(save(tmp_path / "in.png", RGB))


def test_large_photographs_are_read_without_a_warning(tmp_path, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    read_picture(save(tmp_path / "in.png", RGB))
    assert not recwarn.list


def test_a_transparent_grey_of_16_bits_is_said_to_become_opaque(tmp_path):
    source = save(tmp_path / "in.png", codes(8, 8, bits=16), transparency=7)
    for picture in (read_picture(source), upscale_picture(source, tmp_path / "out.png", UPSCALER)):
        assert "becomes opaque" in picture.warnings[0]


@pytest.mark.parametrize(("extreme", "taken"), [(0xFFFF, True), (0x10000, False), (-1, False)])
def test_grey_of_32_bits_is_taken_where_16_hold_it(tmp_path, extreme, taken):
    pixels = codes(18, 22, bits=16).astype(np.int32)
    pixels[0, 0] = extreme
    source = save(tmp_path / "in.tif", pixels)
    if taken:
        picture = read_picture(source)
        assert (picture.mode, picture.pixels.dtype) == ("I;16", np.uint16)
        np.testing.assert_array_equal(picture.pixels, pixels)
    else:
        with pytest.raises(UsageError, match="of kind I; accepted are grey"):
            read_picture(source)


def test_animations_and_pages_are_refused(tmp_path):
    frames = [Image.fromarray(codes(8, 8, seed=i)) for i in range(3)]
    for name in ("in.webp", "in.png", "in.tiff"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        with pytest.raises(UsageError, match=r"is animated or has several pages \(3 frames\)"):
            read_picture(tmp_path / name)


def test_a_photograph_with_previews_behind_it_is_a_picture(tmp_path):
    photograph, preview = (Image.fromarray(codes(n, n, seed=n)) for n in (24, 8))
    photograph.save(tmp_path / "camera.jpg", format="MPO", save_all=True, append_images=[preview])
    photograph.save(tmp_path / "plain.jpg")
    ours, plain = (read_picture(tmp_path / name) for name in ("camera.jpg", "plain.jpg"))
    np.testing.assert_array_equal(ours.pixels, plain.pixels)


def test_cmyk_is_refused(tmp_path):
    Image.new("CMYK", (8, 8)).save(tmp_path / "in.jpg")
    with pytest.raises(UsageError, match="of kind CMYK; accepted are grey"):
        read_picture(tmp_path / "in.jpg")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"x" * 50])
def test_what_is_no_picture_is_refused(tmp_path, content):
    path = tmp_path / "in.png"
    path.write_bytes(content)
    with pytest.raises(DamagedError, match="cannot be read as a picture"):
        read_picture(path)


def test_truncated_pictures_are_refused(tmp_path):
    whole = save(tmp_path / "in.png", RGB).read_bytes()
    (tmp_path / "in.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedError, match="cannot be read as a picture"):
        read_picture(tmp_path / "in.png")


def test_what_only_looks_like_a_picture_starts_no_other_program(postscript):
    with pytest.raises(DamagedError, match="cannot be read as a picture"):
        read_picture(postscript)

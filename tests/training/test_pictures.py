"""Pictures become luma; bad files are named."""

import numpy as np
import pytest
from PIL import Image

from tests.material import codes
from training.pictures import PictureError, find_pictures, luma_of_rgb, read_luma


def test_luma_is_bt601_studio_range():
    # Reference values of ITU-R BT.601 colour bars at 100 %.
    colours = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma_of_rgb(colours).round().tolist() == [[235, 16, 81, 145, 41]]


def test_bad_pictures_are_named(tmp_path):
    with pytest.raises(PictureError, match="is not a folder"):
        find_pictures(tmp_path / "none")
    with pytest.raises(PictureError, match="holds no picture"):
        find_pictures(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"x")
    with pytest.raises(PictureError, match=r"broken\.png cannot be read"):
        read_luma(tmp_path / "broken.png")
    Image.new("CMYK", (4, 4)).save(tmp_path / "print.jpg")
    with pytest.raises(PictureError, match=r"print\.jpg is a CMYK picture"):
        read_luma(tmp_path / "print.jpg")
    Image.new("F", (4, 4)).save(tmp_path / "float.tif")
    with pytest.raises(PictureError, match=r"float\.tif is a F picture; convert it"):
        read_luma(tmp_path / "float.tif")


@pytest.mark.parametrize("error", [RuntimeError, ValueError, EOFError])
def test_whatever_a_decoder_raises_names_the_picture(tmp_path, monkeypatch, error):
    Image.new("L", (4, 4)).save(tmp_path / "damaged.png")

    def damaged(*_, **__):
        raise error("no image item")

    monkeypatch.setattr(Image, "open", damaged)
    with pytest.raises(PictureError, match=r"damaged\.png cannot be read as a picture: no image item"):
        read_luma(tmp_path / "damaged.png")


def test_what_is_no_picture_of_the_user_is_passed_over(tmp_path):
    for path in (".hidden/a.png", "folder.png/b.png"):
        (tmp_path / path).parent.mkdir()
        Image.new("L", (4, 4)).save(tmp_path / path)
    (tmp_path / "._c.jpg").write_bytes(b"x")
    assert find_pictures(tmp_path) == [tmp_path / "folder.png" / "b.png"]


def test_what_only_looks_like_a_picture_starts_no_other_program(postscript):
    with pytest.raises(PictureError, match="cannot be read as a picture"):
        read_luma(postscript)


def test_pictures_too_large_for_pillow_are_named(tmp_path, monkeypatch):
    Image.new("L", (40, 40)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(PictureError, match=r"large\.png cannot be read as a picture"):
        read_luma(tmp_path / "large.png")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits_becomes_8_bits(tmp_path, suffix):
    deep = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(deep).save(tmp_path / f"deep.{suffix}")
    read = read_luma(tmp_path / f"deep.{suffix}")
    assert np.abs(read - deep / 257).max() <= 0.5


def test_palettes_and_alpha_are_read(tmp_path):
    Image.fromarray(codes(8, 8)).convert("P").save(tmp_path / "palette.png")
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_luma(tmp_path / "palette.png").shape == (8, 8)
    assert (read_luma(tmp_path / "clear.png") == 235).all()


def test_grey_pictures_are_taken_as_they_are(tmp_path):
    # As published benchmarks do with Set14's "bridge".
    Image.fromarray(codes(8, 8)).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_luma(tmp_path / "grey.png"), codes(8, 8))

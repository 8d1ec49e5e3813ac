"""Exif through every kind of file."""

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from tests.pictures.samples import RGB, UPSCALER, pixels_of, save
from vs_emtcm import EmtcmError
from vs_emtcm.pictures import Picture, upscale_picture, write_picture


def camera_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A Maker", 1
    # What cameras and editors also write there: the size of the picture, and directories of their own.
    exif[0x0100], exif[0x0101] = 4000, 3000
    exif.get_ifd(0x8769)[0x829A] = IFDRational(1, 125)
    exif.get_ifd(0x8825)[1] = "N"
    return exif


@pytest.mark.parametrize("before", ["png", "jpg", "webp", "tiff"])
@pytest.mark.parametrize("after", ["png", "jpg", "webp", "tiff"])
def test_a_cameras_exif_goes_from_any_kind_into_any_other(tmp_path, before, after):
    exif = camera_exif()
    if before == "tiff":
        del exif[0x0100], exif[0x0101]
    source = save(tmp_path / f"in.{before}", RGB, exif=exif.tobytes())
    upscale_picture(source, tmp_path / f"out.{after}", UPSCALER)
    with Image.open(tmp_path / f"out.{after}") as picture:
        picture.load()
        assert picture.size == (44, 36)
        found = picture.getexif()
        assert found[0x010F] == "A Maker"
        assert float(found.get_ifd(0x8769)[0x829A]) == 1 / 125
        assert found.get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_what_exif_says_of_the_size_grows(tmp_path, suffix):
    source = save(tmp_path / f"in.{suffix}", RGB, exif=camera_exif().tobytes())
    upscale_picture(source, tmp_path / f"out.{suffix}", UPSCALER)
    with Image.open(tmp_path / f"out.{suffix}") as picture:
        assert [picture.getexif()[tag] for tag in (0x0100, 0x0101)] == [8000, 6000]


def test_who_made_a_photograph_is_kept_from_tiff(tmp_path):
    words = {270: "A Title", 271: "A Maker", 272: "A Model", 305: "A Program", 315: "An Artist", 33432: "(c)"}
    exif = Image.Exif()
    exif.update(words)
    source = save(tmp_path / "in.tif", RGB, exif=exif.tobytes())
    for name in ("out.tif", "out.jpg"):
        upscale_picture(source, tmp_path / name, UPSCALER)
        with Image.open(tmp_path / name) as picture:
            found = picture.getexif()
            assert {tag: found.get(tag) for tag in words} == words


@pytest.mark.parametrize("after", ["tif", "jpg"])
@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", camera_exif().tobytes()[:13]], ids=["none", "cut"])
def test_damaged_exif_is_left_out_and_named(tmp_path, exif, after):
    source = save(tmp_path / "in.jpg", RGB, exif=exif)
    result = upscale_picture(source, tmp_path / f"out.{after}", UPSCALER)
    assert result.warnings == (f"{source}: its Exif is damaged and left out",)
    assert pixels_of(tmp_path / f"out.{after}").shape == (36, 44, 3)


def test_exif_that_tiff_alone_does_not_take_stays_elsewhere(tmp_path):
    # The altitude as text (kind 2) where Pillow writes a rational (kind 5).
    exif = Image.Exif()
    exif.get_ifd(0x8825)[6] = IFDRational(1, 2)
    stored = exif.tobytes()
    entry = stored.index(b"\0\6\0\5")
    odd = stored[: entry + 3] + b"\2" + stored[entry + 4 :]
    source = save(tmp_path / "in.jpg", RGB, exif=odd)
    assert upscale_picture(source, tmp_path / "out.jpg", UPSCALER).warnings == ()
    with Image.open(tmp_path / "out.jpg") as picture:
        assert picture.info["exif"] == odd
    (warning,) = upscale_picture(source, tmp_path / "out.tif", UPSCALER).warnings
    assert "Exif is damaged" in warning


def test_exif_that_is_none_is_one_sentence(tmp_path):
    picture = Picture(mode="RGB", pixels=RGB, icc_profile=None, exif=b"Exif\0\0nonsense")
    with pytest.raises(EmtcmError, match=r"out\.tiff cannot be written: not a TIFF file"):
        write_picture(picture, tmp_path / "out.tiff")
    assert list(tmp_path.iterdir()) == []


def test_orientation_survives_from_webp_to_jpeg(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    source = save(tmp_path / "in.webp", RGB, exif=exif.tobytes())
    upscale_picture(source, tmp_path / "out.jpg", UPSCALER)
    with Image.open(tmp_path / "out.jpg") as after:
        assert after.getexif()[0x0112] == 6

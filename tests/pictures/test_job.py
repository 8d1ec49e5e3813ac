"""A picture from file to file."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.material import codes
from tests.pictures.samples import GREY, RGB, RGBA, UPSCALER, pixels_of, save
from vs_emtcm import PixelFormat
from vs_emtcm.formats import Color
from vs_emtcm.pictures import upscale_picture


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp"])
@pytest.mark.parametrize("pixels", [RGB, GREY], ids=["rgb", "grey"])
def test_every_kind_comes_out_larger(tmp_path, suffix, pixels):
    source = save(tmp_path / f"in.{suffix}", pixels)
    upscale_picture(source, tmp_path / f"out.{suffix}", UPSCALER)
    with Image.open(source) as before, Image.open(tmp_path / f"out.{suffix}") as after:
        assert after.size == (44, 36)
        assert (after.mode, after.format) == (before.mode, before.format)


def test_pixels_are_those_of_the_upscaler(tmp_path):
    source = save(tmp_path / "in.png", RGB)
    upscale_picture(source, tmp_path / "out.png", UPSCALER)
    planes = UPSCALER.upscale(list(np.moveaxis(RGB, 2, 0)), PixelFormat(family="rgb"), Color(range="full"))
    np.testing.assert_array_equal(pixels_of(tmp_path / "out.png"), np.stack(planes, 2))


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
def test_alpha_is_kept(tmp_path, suffix):
    pixels = RGBA.copy()
    pixels[:9, :, 3], pixels[9:, :, 3] = 255, 0
    source = save(tmp_path / "in.png", pixels)
    upscale_picture(source, tmp_path / f"out.{suffix}", UPSCALER)
    alpha = pixels_of(tmp_path / f"out.{suffix}")[..., 3]
    assert (alpha[:12] > 240).all()
    assert (alpha[24:] < 15).all()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_keeps_its_bits(tmp_path, suffix):
    pixels = codes(18, 22, bits=16)
    source = save(tmp_path / f"in.{suffix}", pixels)
    upscale_picture(source, tmp_path / f"out.{suffix}", UPSCALER)
    result = pixels_of(tmp_path / f"out.{suffix}")
    expected = UPSCALER.upscale([pixels], PixelFormat(family="gray", bits=16), Color(range="full"))[0]
    np.testing.assert_array_equal(result, expected)
    assert len(np.unique(result % 256)) > 200


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_colour_profile_and_exif_are_kept(tmp_path, suffix):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "A Photographer"
    source = save(tmp_path / f"in.{suffix}", RGB, icc_profile=profile, exif=exif.tobytes())
    upscale_picture(source, tmp_path / f"out.{suffix}", UPSCALER)
    with Image.open(tmp_path / f"out.{suffix}") as after:
        assert after.info["icc_profile"] == profile
        assert after.getexif()[0x013B] == "A Photographer"
        # Pillow turns TIFF pixels as their tag says when it reads them; elsewhere the tag stays.
        turned = suffix == "tiff"
        assert after.getexif().get(0x0112) == (None if turned else 6)
        assert after.size == ((36, 44) if turned else (44, 36))


def test_what_bmp_cannot_hold_is_named(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for options in ({"exif": exif.tobytes()}, {"icc_profile": profile}):
        source = save(tmp_path / "in.jpg", RGB, **options)
        (warning,) = upscale_picture(source, tmp_path / "out.bmp", UPSCALER).warnings
        assert "cannot hold the Exif and colour profile" in warning
    assert upscale_picture(save(tmp_path / "in.png", RGB), tmp_path / "out.bmp", UPSCALER).warnings == ()


@pytest.mark.parametrize("after", ["png", "jpg", "tif", "bmp"])
@pytest.mark.parametrize("before", ["png", "jpg", "tif"])
def test_the_size_in_print_stays(tmp_path, before, after):
    source = save(tmp_path / f"in.{before}", RGB, dpi=(300, 150))
    upscale_picture(source, tmp_path / f"out.{after}", UPSCALER)
    with Image.open(tmp_path / f"out.{after}") as picture:
        assert [float(n) for n in picture.info["dpi"]] == pytest.approx([600, 300], abs=0.1)


@pytest.mark.parametrize("dpi", [(1, 1), (0, 0), (300, 1), (30_000, 30_000), (300, 30_000), None])
def test_no_size_in_print_stays_none(tmp_path, dpi):
    source = save(tmp_path / "in.tif", RGB, **({} if dpi is None else {"dpi": dpi}))
    upscale_picture(source, tmp_path / "out.png", UPSCALER)
    with Image.open(tmp_path / "out.png") as picture:
        assert "dpi" not in picture.info


@pytest.mark.parametrize(("suffix", "kept"), [("png", True), ("jpg", True), ("tif", True), ("webp", False)])
def test_a_profile_of_grey_stays_where_grey_does(tmp_path, suffix, kept):
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = b"GRAY"
    source, target = save(tmp_path / "in.png", GREY, icc_profile=bytes(profile)), tmp_path / f"out.{suffix}"
    warnings = upscale_picture(source, target, UPSCALER).warnings
    lost = f"{target} holds colour and not the grey colour profile of {source}; .png can"
    assert warnings == (() if kept else (lost,))
    with Image.open(target) as picture:
        assert picture.info.get("icc_profile") == (bytes(profile) if kept else None)

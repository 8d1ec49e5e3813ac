"""Pictures keep their kind, alpha, colour profile and Exif."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.conftest import codes
from vs_emtcm import EmtcmError, PixelFormat, Upscaler, UsageError
from vs_emtcm.images import read_picture, upscale_picture
from vs_emtcm.planes import Color

UPSCALER = Upscaler(2, tune="clean", stages=1)
RGB = np.stack([codes(18, 22, seed=i) for i in range(3)], axis=2)
RGBA = np.dstack([RGB, codes(18, 22, seed=3)])
GREY = codes(18, 22)


def pixels_of(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


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


def test_transparency_of_palettes_is_kept(tmp_path):
    picture = Image.fromarray(RGB).quantize(8)
    picture.save(tmp_path / "in.png", transparency=0)
    upscale_picture(tmp_path / "in.png", tmp_path / "out.png", UPSCALER)
    with Image.open(tmp_path / "out.png") as after:
        assert after.mode == "RGBA"


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
    with pytest.raises(UsageError, match="cannot be read as a picture"):
        read_picture(path)


def test_truncated_pictures_are_refused(tmp_path):
    whole = save(tmp_path / "in.png", RGB).read_bytes()
    (tmp_path / "in.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="cannot be read as a picture"):
        read_picture(tmp_path / "in.png")


@pytest.mark.parametrize(
    ("pixels", "name", "lost"),
    [(RGBA, "out.jpg", "alpha"), (codes(9, 9, bits=16), "out.webp", "16-bit grey")],
)
def test_kinds_that_would_lose_something_are_refused(tmp_path, pixels, name, lost):
    source = save(tmp_path / "in.png", pixels)
    with pytest.raises(UsageError, match=f"cannot hold {lost}"):
        upscale_picture(source, tmp_path / name, UPSCALER)
    assert not (tmp_path / name).exists()


def test_a_failing_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    source = save(tmp_path / "in.png", RGB)
    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(EmtcmError, match="cannot be written: no space left on device"):
        upscale_picture(source, tmp_path / "out.png", UPSCALER)
    assert [p.name for p in tmp_path.iterdir()] == ["in.png"]


def test_orientation_survives_from_webp_to_jpeg(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    source = save(tmp_path / "in.webp", RGB, exif=exif.tobytes())
    upscale_picture(source, tmp_path / "out.jpg", UPSCALER)
    with Image.open(tmp_path / "out.jpg") as after:
        assert after.getexif()[0x0112] == 6


def test_what_bmp_cannot_hold_is_named(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    source = save(tmp_path / "in.jpg", RGB, exif=exif.tobytes())
    assert "cannot hold the Exif" in upscale_picture(source, tmp_path / "out.bmp", UPSCALER).warnings[0]

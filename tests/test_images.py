"""Pictures keep their kind, alpha, colour profile and Exif."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from tests.conftest import codes
from vs_emtcm import EmtcmError, PixelFormat, Upscaler, UsageError
from vs_emtcm.errors import DamagedError
from vs_emtcm.formats import Color
from vs_emtcm.images import Picture, check_size, read_picture, upscale_picture, write_picture

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


def test_a_palette_with_opacity_beside_it_is_taken(tmp_path):
    picture = Image.fromarray(RGBA).convert("PA")
    picture.save(tmp_path / "in.tif")
    with Image.open(tmp_path / "in.tif") as stored:
        assert stored.mode == "PA"
    found = read_picture(tmp_path / "in.tif")
    assert found.mode == "RGBA"
    np.testing.assert_array_equal(found.pixels, np.asarray(picture.convert("RGBA")))


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


def test_sides_that_a_kind_cannot_hold_are_said_before_the_work(tmp_path):
    source = save(tmp_path / "in.png", codes(1, 8192))
    with pytest.raises(UsageError, match=r"a \.webp file cannot hold 16384x2 pixels, its sides end at 16383"):
        upscale_picture(source, tmp_path / "out.webp", UPSCALER)
    check_size(65500, 2, tmp_path / "out.jpg")
    with pytest.raises(UsageError, match=r"a \.jpg file cannot hold 2x65501 pixels, its sides end at 65500"):
        check_size(2, 65501, tmp_path / "out.jpg")
    check_size(1 << 20, 2, tmp_path / "out.png")


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


@pytest.mark.parametrize(
    ("pixels", "name", "lost"),
    [(RGBA, "out.jpg", "alpha"), (codes(9, 9, bits=16), "out.webp", "16-bit grey")],
)
def test_kinds_that_would_lose_something_are_refused(tmp_path, pixels, name, lost):
    source = save(tmp_path / "in.png", pixels)
    # Before any work: there is nothing that could do it.
    with pytest.raises(UsageError, match=f"cannot hold {lost}"):
        upscale_picture(source, tmp_path / name, SimpleNamespace(scale=2))
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


def test_what_only_looks_like_a_picture_starts_no_other_program(postscript):
    with pytest.raises(DamagedError, match="cannot be read as a picture"):
        read_picture(postscript)


def test_jpeg_keeps_every_sample_of_its_colours(tmp_path):
    source = save(tmp_path / "in.png", RGB)
    for quality in (None, 50):
        upscale_picture(source, tmp_path / "out.jpg", UPSCALER, quality)
        with Image.open(tmp_path / "out.jpg") as picture:
            # Component, and its samples across and down beside those of the others.
            assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3


def test_tiff_is_compressed_without_loss(tmp_path):
    flat = np.full((40, 50, 3), 128, np.uint8)
    upscale_picture(save(tmp_path / "in.png", flat), tmp_path / "out.tif", UPSCALER)
    np.testing.assert_array_equal(pixels_of(tmp_path / "out.tif"), np.full((80, 100, 3), 128))
    assert (tmp_path / "out.tif").stat().st_size < 80 * 100 * 3 / 10


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_the_quality_that_was_asked_for_is_that_of_the_file(tmp_path, suffix):
    source = save(tmp_path / "in.png", codes(64, 64))
    for quality in (None, 60, 95):
        upscale_picture(source, tmp_path / f"{quality}.{suffix}", UPSCALER, quality)
    default, low, usual = (tmp_path.joinpath(f"{q}.{suffix}").read_bytes() for q in (None, 60, 95))
    assert default == usual
    assert len(low) < 0.6 * len(usual)

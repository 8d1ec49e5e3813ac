"""All 16 bits of a colour go in and come out."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from tests.material import codes
from tests.pictures.samples import MODES, PROFILE, UPSCALER, decoded, deep, save_png
from vs_emtcm import PixelFormat, UsageError
from vs_emtcm.formats import Color
from vs_emtcm.pictures import Picture, read_picture, upscale_picture, write_picture
from vs_emtcm.pictures.deep_png import write_deep_png
from vs_emtcm.pictures.deep_reader import read_deep
from vs_emtcm.pictures.deep_tiff import write_deep_tiff


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize(("channels", "colour_type"), [(2, 4), (3, 2), (4, 6)])
def test_all_bits_go_in_and_come_out(tmp_path, suffix, channels, colour_type):
    pixels = deep(channels)
    source = save_png(tmp_path / "in.png", pixels, colour_type)
    picture = upscale_picture(source, tmp_path / f"out.{suffix}", UPSCALER)
    family = "gray" if channels == 2 else "rgb"
    format = PixelFormat(family=family, bits=16, alpha=channels != 3)
    expected = np.dstack(UPSCALER.upscale(list(np.moveaxis(pixels, 2, 0)), format, Color(range="full")))
    if (channels, suffix) == (2, "tiff"):
        expected = expected[..., [0, 0, 0, 1]]
    np.testing.assert_array_equal(decoded(tmp_path / f"out.{suffix}"), expected)
    assert picture.warnings == ()
    with Image.open(tmp_path / f"out.{suffix}") as after:
        assert after.size == (44, 36)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(2, 4), st.sampled_from(["png", "tiff"]))
def test_what_is_written_is_read_again(tmp_path_factory, height, width, channels, suffix):
    path = tmp_path_factory.mktemp("deep") / f"picture.{suffix}"
    pixels = deep(channels, height, width)
    write_picture(Picture(mode=MODES[channels], pixels=pixels, icc_profile=None, exif=None), path)
    again = read_picture(path)
    if (channels, suffix) == (2, "tiff"):
        channels, pixels = 4, pixels[..., [0, 0, 0, 1]]
    assert (again.mode, again.warnings) == (MODES[channels], ())
    np.testing.assert_array_equal(again.pixels, pixels)


@pytest.mark.parametrize("before", ["png", "tiff"])
@pytest.mark.parametrize("after", ["png", "tiff"])
def test_profile_exif_and_size_in_print_are_kept(tmp_path, before, after):
    exif = Image.Exif()
    exif[0x013B] = "A Photographer"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:27 10:00:00"
    source = tmp_path / f"in.{before}"
    picture = Picture(
        mode="RGB;16", pixels=deep(3), icc_profile=PROFILE, exif=b"Exif\0\0" + exif.tobytes(), dpi=(300, 150)
    )
    write_picture(picture, source)
    upscale_picture(source, tmp_path / f"out.{after}", UPSCALER)
    with Image.open(tmp_path / f"out.{after}") as result:
        assert result.info["icc_profile"] == PROFILE
        assert [float(n) for n in result.info["dpi"]] == pytest.approx([600, 300], abs=0.1)
        assert result.getexif()[0x013B] == "A Photographer"
        assert result.getexif().get_ifd(0x8769)[0x9003] == "2026:11:27 10:00:00"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_is_turned_as_its_tag_says(tmp_path, orientation):
    pixels = deep(3)
    path = tmp_path / "in.tiff"
    write_deep_tiff(pixels, path, icc_profile=None, tags={274: orientation}, dpi=None)
    with Image.open(path) as shallow:
        shallow.load()
        upper = np.asarray(shallow)
    picture = read_picture(path)
    assert picture.mode == "RGB;16"
    np.testing.assert_array_equal(picture.pixels >> 8, upper)
    assert sorted(picture.pixels.ravel()) == sorted(pixels.ravel())


@pytest.mark.parametrize("orientation", [3, 6])
def test_png_keeps_its_bits_whatever_its_exif_says(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    pixels = deep(3)
    write_deep_png(pixels, tmp_path / "in.png", icc_profile=None, exif=exif.tobytes()[6:], dpi=None)
    picture = read_picture(tmp_path / "in.png")
    assert (picture.mode, picture.warnings) == ("RGB;16", ())
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_bits_that_cannot_be_had_are_said_to_be_lost(tmp_path, monkeypatch):
    source = save_png(tmp_path / "in.png", deep(3), 2)
    monkeypatch.setattr("vs_emtcm.pictures.reader.read_deep", lambda *_: None)
    picture = read_picture(source)
    assert picture.mode == "RGB"
    assert "16-bit colour of a kind that is read as 8 bits" in picture.warnings[0]


def test_a_transparent_colour_becomes_opacity(tmp_path):
    pixels = deep(3)
    source = save_png(tmp_path / "in.png", pixels, 2)
    data = source.read_bytes()
    colour = struct.pack(">3H", *(int(v) for v in pixels[0, 0]))
    chunk = struct.pack(">I", 6) + b"tRNS" + colour + struct.pack(">I", zlib.crc32(b"tRNS" + colour))
    source.write_bytes(data[:33] + chunk + data[33:])
    picture = read_picture(source)
    assert picture.mode == "RGBA;16"
    assert picture.pixels[0, 0, 3] == 0
    assert np.count_nonzero(picture.pixels[..., 3] != 0xFFFF) == 1


def test_what_two_libraries_read_differently_is_read_as_8_bits(tmp_path):
    path = tmp_path / "in.png"
    write_deep_png(deep(3), path, icc_profile=None, exif=None, dpi=None)
    other = np.asarray(Image.new("RGB", (22, 18)))
    assert read_deep(path, "PNG", other, 1) is None
    assert read_deep(path, "PNG", (deep(3) >> 8).astype(np.uint8), 1) is not None


@pytest.mark.parametrize("suffix", ["jpg", "webp", "bmp"])
def test_kinds_of_8_bits_are_refused(tmp_path, suffix):
    source = save_png(tmp_path / "in.png", deep(3), 2)
    with pytest.raises(
        UsageError, match=rf"a \.{suffix} file cannot hold 16-bit colour; write \.png or \.tiff"
    ):
        upscale_picture(source, tmp_path / f"out.{suffix}", UPSCALER)


def test_planes_that_pillow_misreads_are_refused(tmp_path):
    pixels, path = deep(3), tmp_path / "in.tiff"
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    height, width, _ = pixels.shape
    directory[256], directory[257], directory[258], directory[259] = width, height, (16, 16, 16), 1
    directory[262], directory[277], directory[278], directory[284] = 2, 3, height, 2
    size = 2 * width * height
    directory[273], directory[279] = (0, size, 2 * size), (size,) * 3
    with path.open("wb") as file:
        directory.save(file)
        file.write(np.moveaxis(pixels, 2, 0).astype("<u2").tobytes())
    with pytest.raises(UsageError, match="holds 16 bits in planes that are not compressed"):
        read_picture(path)


def test_grey_whose_zero_is_white_is_no_negative(tmp_path):
    pixels, path = codes(18, 22, bits=16), tmp_path / "in.tiff"
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[256], directory[257], directory[258], directory[259] = 22, 18, 16, 1
    directory[262], directory[277], directory[278] = 0, 1, 18
    directory[273], directory[279] = 0, 2 * pixels.size
    with path.open("wb") as file:
        directory.save(file)
        file.write((65535 - pixels).astype("<u2").tobytes())
    np.testing.assert_array_equal(read_picture(path).pixels, pixels)


@pytest.mark.parametrize(("extra", "channels"), [(0, 3), (2, 4)])
def test_a_fourth_channel_of_tiff_is_opacity_only_if_it_says_so(tmp_path, extra, channels):
    """A scanner's infrared is "unspecified data" (TIFF 6.0, ExtraSamples)."""
    path = tmp_path / "in.tif"
    write_deep_tiff(deep(4), path, icc_profile=None, tags={}, dpi=None)
    data = bytearray(path.read_bytes())
    # The entry of one SHORT, which holds its value itself.
    entry = struct.pack("<HHI", TiffImagePlugin.EXTRASAMPLES, 3, 1)
    struct.pack_into("<H", data, data.index(entry) + len(entry), extra)
    path.write_bytes(data)
    picture = read_picture(path)
    assert picture.mode == MODES[channels]
    np.testing.assert_array_equal(picture.pixels, deep(4)[..., :channels])

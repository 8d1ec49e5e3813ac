"""What Exif says of a picture's size grows with the picture; nothing else changes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from vs_emtcm.pictures.exif import PREFIX, upscaled_exif

WIDTH, LENGTH, X_RESOLUTION, Y_RESOLUTION, UNIT, EXIF = 256, 257, 282, 283, 296, 34665
X_DIMENSION, Y_DIMENSION, MAKER_NOTE = 40962, 40963, 37500


def example() -> bytes:
    exif = Image.Exif()
    exif[WIDTH], exif[LENGTH] = 40_000, 30
    exif[X_RESOLUTION], exif[Y_RESOLUTION], exif[UNIT] = IFDRational(72), IFDRational(1500, 10), 2
    directory = exif.get_ifd(EXIF)
    directory[X_DIMENSION], directory[Y_DIMENSION], directory[MAKER_NOTE] = 40_000, 30, b"note at byte 300"
    return exif.tobytes()


def read(exif: bytes) -> tuple[Image.Exif, dict[int, object]]:
    found = Image.Exif()
    found.load(exif)
    return found, found.get_ifd(EXIF)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("prefix", [PREFIX, b""])
def test_sides_and_resolution_grow_as_pillow_reads_them(scale, prefix):
    before = prefix + example().removeprefix(PREFIX)
    after = upscaled_exif(before, scale)
    found, directory = read(after)
    assert (found[WIDTH], found[LENGTH]) == (40_000 * scale, 30 * scale)
    assert (found[X_RESOLUTION], found[Y_RESOLUTION], found[UNIT]) == (72 * scale, 150 * scale, 2)
    assert (directory[X_DIMENSION], directory[Y_DIMENSION]) == (40_000 * scale, 30 * scale)
    assert directory[MAKER_NOTE] == b"note at byte 300"
    # Two rationals, and four sides whose kind changes with them.
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= 2 * 4 + 4 * 5


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_resolution_that_both_sides_share_grows_once(order):
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}IH", 8, 2)
    entries = b"".join(struct.pack(f"{order}HHII", tag, 5, 1, 40) for tag in (X_RESOLUTION, Y_RESOLUTION))
    before = (head + entries).ljust(40, b"\0") + struct.pack(f"{order}II", 300, 1)
    found, _ = read(upscaled_exif(before, 4))
    assert found[X_RESOLUTION] == found[Y_RESOLUTION] == 1200


def test_what_would_be_too_large_stays():
    exif = Image.Exif()
    exif[X_RESOLUTION] = IFDRational(2**31 + 1, 2**30)
    assert upscaled_exif(exif.tobytes(), 2) == exif.tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_directory_that_names_itself_as_the_cameras_is_read_once(order):
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}IH", 8, 2)
    width, camera = (struct.pack(f"{order}HHII", *entry) for entry in ((WIDTH, 4, 1, 30), (EXIF, 4, 1, 8)))
    found = upscaled_exif(head + width + camera + bytes(4), 2)
    assert struct.unpack_from(f"{order}I", found, 18) == (60,)


@given(st.data())
def test_damaged_exif_stays_as_long_as_it_was(data):
    exif = bytearray(example())
    for _ in range(data.draw(st.integers(1, 4))):
        exif[data.draw(st.integers(0, len(exif) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(exif[: data.draw(st.integers(0, len(exif)))])
    assert len(upscaled_exif(cut, 3)) == len(cut)


@pytest.mark.parametrize("exif", [b"", PREFIX, b"Exif\0\0nonsense", b"II*\0\xff\xff\xff\xff"])
def test_what_is_no_exif_stays(exif):
    assert upscaled_exif(exif, 2) == exif

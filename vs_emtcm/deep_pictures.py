"""Colour of 16 bits, which Pillow reads as 8 and does not write: PNG and TIFF.

PyAV reads both and writes PNG. TIFF is written with Pillow's tags: FFmpeg's writer keeps no colour profile.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin
from PIL.ImageFile import ImageFile

from vs_emtcm.formats import Plane

Pixels = NDArray[np.uint16]

# Samples of a pixel.
_GREY_ALPHA = 2
_CODECS = {"PNG": "png", "TIFF": "tiff"}
# What FFmpeg calls the order of samples in PNG files, by their number in a pixel.
_PNG_FORMATS = {2: "ya16be", 3: "rgb48be", 4: "rgba64be"}
# The magic number and the header, which comes first.
_PNG_BEGIN = 8 + 25
_INCHES_IN_A_METRE = 1 / 0.0254

# Tags and values of TIFF 6.0 and of its supplement, which brought deflate; opacity is not in the colours.
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_COMPRESSION, _TIFF_PHOTOMETRIC = 256, 257, 258, 259, 262
_TIFF_OFFSETS, _TIFF_SAMPLES, _TIFF_ROWS, _TIFF_COUNTS = 273, 277, 278, 279
_TIFF_ACROSS, _TIFF_DOWN, _TIFF_PLANAR, _TIFF_UNIT = 282, 283, 284, 296
_TIFF_PREDICTOR, _TIFF_EXTRA, _TIFF_PROFILE = 317, 338, 34675
_DEFLATE, _HORIZONTAL, _INCH, _UNASSOCIATED = 8, 2, 2, 2
_RGB = 2
_STRIP_BYTES = 1 << 20
# With room for the directory.
_TIFF_LARGEST = (1 << 32) - (1 << 26)


def is_deep_colour(image: ImageFile) -> bool:
    """Whether Pillow has opened a file of 16 bits as 8: not grey, or with opacity."""
    told = max(getattr(image, "tag_v2", {}).get(_TIFF_BITS, (8,))) == 16
    return image.mode in ("RGB", "RGBA") and (told or any(";16" in str(tile.args) for tile in image.tile))


def is_misread(image: ImageFile) -> bool:
    """Whether Pillow makes nothing of such a file but noise: planes of 16 bits that are not compressed."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(_TIFF_PLANAR) == 2 and tags.get(_TIFF_COMPRESSION, 1) == 1


def read_deep(path: Path, kind: str, shallow: Plane, orientation: int) -> Pixels | None:
    """All 16 bits of a picture.

    Args:
        path: the file.
        kind: Pillow's name of its format.
        shallow: (H, W, channels), its upper 8 bits as Pillow reads them.
        orientation: Exif's number, 1 to 8, of what Pillow has done to them.

    Returns:
        (H, W, channels), 2 (grey and opacity), 3 or 4; None if PyAV cannot read it or reads something else.
    """
    try:
        pixels = _decoded(path.read_bytes(), _CODECS[kind])
    except (KeyError, ValueError, av.FFmpegError):
        return None
    pixels = _turned(pixels, orientation)
    colours = pixels[..., :3] if pixels.shape[2] != _GREY_ALPHA else pixels[..., [0, 0, 0]]
    # Not opacity: of a transparent colour, Pillow compares the upper bits with all of them.
    return pixels if np.array_equal(colours >> 8, shallow[..., :3]) else None


def _decoded(data: bytes, codec: str) -> Pixels:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    (frame,) = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    if frame.format.name in ("ya16be", "ya16le"):
        plane = frame.planes[0]
        rows = np.frombuffer(plane, ">u2" if frame.format.is_big_endian else "<u2")
        rows = rows.reshape(frame.height, plane.line_size // 2)[:, : 2 * frame.width]
        return rows.reshape(frame.height, frame.width, 2).astype(np.uint16)
    if not frame.format.name.startswith(("rgb48", "rgba64")):
        raise ValueError(frame.format.name)
    return np.asarray(frame.to_ndarray(), np.uint16)


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    """As Exif's orientation says (JEITA CP-3451, 4.6.4): mirrored and turned by quarters."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    across = -1 if orientation in (2, 3, 6, 7) else 1
    down = -1 if orientation in (3, 4, 7, 8) else 1
    return pixels[::down, ::across]


def write_deep_png(
    pixels: Pixels,
    target: Path,
    *,
    icc_profile: bytes | None,
    exif: bytes | None,
    dpi: tuple[float, float] | None,
) -> None:
    """Write a PNG file.

    Args:
        pixels: (H, W, channels), 2 (grey and opacity), 3 or 4.
        target: the file, which is overwritten.
        icc_profile: a colour profile, or None.
        exif: without the prefix that JPEG has, or None.
        dpi: pixels per inch, horizontally and vertically, or None.

    Raises:
        OSError: it cannot be written.
        ValueError: it is larger than FFmpeg's encoder takes.
    """
    encoder = av.CodecContext.create("png", "w")
    encoder.height, encoder.width, channels = pixels.shape
    encoder.pix_fmt = _PNG_FORMATS[channels]
    encoder.time_base = Fraction(1)
    encoder.options = {"pred": "mixed"}
    frame = _frame(pixels, encoder.pix_fmt)
    frame.pts = 0
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    with target.open("wb") as file:
        first, *others = (memoryview(packet) for packet in packets)
        file.write(first[:_PNG_BEGIN])
        if icc_profile is not None:
            _write_chunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile))
        if dpi is not None:
            across, down = (round(number * _INCHES_IN_A_METRE) for number in dpi)
            _write_chunk(file, b"pHYs", struct.pack(">IIB", across, down, 1))
        if exif is not None:
            _write_chunk(file, b"eXIf", exif)
        file.write(first[_PNG_BEGIN:])
        file.writelines(others)


def _frame(pixels: Pixels, format: str) -> av.VideoFrame:
    height, width, channels = pixels.shape
    frame = av.VideoFrame(width, height, format)
    (plane,) = frame.planes
    rows = np.zeros((height, plane.line_size // 2), ">u2")
    rows[:, : width * channels] = pixels.reshape(height, -1)
    plane.update(rows.tobytes())
    return frame


def _write_chunk(file: BinaryIO, name: bytes, data: bytes) -> None:
    """PNG (W3C, third edition), 5.3."""
    file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))


def write_deep_tiff(
    pixels: Pixels,
    target: Path,
    *,
    icc_profile: bytes | None,
    tags: Mapping[int, object],
    dpi: tuple[float, float] | None,
) -> None:
    """Write a TIFF file, compressed without loss.

    Args:
        pixels: (H, W, channels), 3 or 4.
        target: the file, which is overwritten.
        icc_profile: a colour profile, or None.
        tags: what else its directory says, by number; a directory below it is a mapping itself.
        dpi: pixels per inch, horizontally and vertically, or None.

    Raises:
        OSError: it cannot be written, or is larger than TIFF files are.
    """
    height, width, channels = pixels.shape
    rows = max(1, _STRIP_BYTES // (2 * width * channels))
    strips = [_strip(pixels[top : top + rows]) for top in range(0, height, rows)]
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[tag] = value
    directory[_TIFF_WIDTH], directory[_TIFF_HEIGHT] = width, height
    directory[_TIFF_BITS], directory[_TIFF_SAMPLES] = (16,) * channels, channels
    directory[_TIFF_COMPRESSION], directory[_TIFF_PREDICTOR] = _DEFLATE, _HORIZONTAL
    directory[_TIFF_PHOTOMETRIC], directory[_TIFF_PLANAR] = _RGB, 1
    if channels == 4:
        directory[_TIFF_EXTRA] = _UNASSOCIATED
    if dpi is not None:
        directory[_TIFF_ACROSS], directory[_TIFF_DOWN], directory[_TIFF_UNIT] = *dpi, _INCH
    if icc_profile is not None:
        directory[_TIFF_PROFILE] = icc_profile
    sizes = [len(strip) for strip in strips]
    if sum(sizes) > _TIFF_LARGEST:
        raise OSError("TIFF files end at 4 GB; write .png instead")
    directory[_TIFF_ROWS], directory[_TIFF_COUNTS] = rows, tuple(sizes)
    # Pillow adds where the directory ends.
    directory[_TIFF_OFFSETS] = tuple(accumulate(sizes[:-1], initial=0))
    with target.open("wb") as file:
        directory.save(file)
        file.writelines(strips)


def _strip(rows: Pixels) -> bytes:
    """Differences of neighbours (TIFF 6.0, section 14), compressed."""
    differences = rows.astype("<u2")
    differences[:, 1:] -= rows[:, :-1]
    return zlib.compress(differences.tobytes())

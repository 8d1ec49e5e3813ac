"""Writes colour of 16 bits as PNG by PyAV, which Pillow cannot."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from vs_emtcm.pictures.deep_reader import DeepPixels

# FFmpeg's pixel format for each number of channels.
_PIX_FMTS: Mapping[int, str] = {2: "ya16be", 3: "rgb48be", 4: "rgba64be"}
# Bytes of the signature and of the header chunk, behind which other chunks go.
_BEGINNING = 8 + 25
_INCHES_PER_METRE = 1 / 0.0254


def write_deep_png(
    pixels: DeepPixels,
    target: Path,
    *,
    icc_profile: bytes | None,
    exif: bytes | None,
    dpi: tuple[float, float] | None,
) -> None:
    """Write a PNG file of 16 bits.

    Args:
        pixels: (H, W, channels), 2 (grey and opacity), 3 or 4 of them.
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
    encoder.pix_fmt = _PIX_FMTS[channels]
    encoder.time_base = Fraction(1)
    encoder.options = {"pred": "mixed"}
    frame = _frame(pixels, encoder.pix_fmt)
    frame.pts = 0
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    with target.open("wb") as file:
        first, *others = (memoryview(packet) for packet in packets)
        file.write(first[:_BEGINNING])
        if icc_profile is not None:
            _write_chunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile))
        if dpi is not None:
            across, down = (round(number * _INCHES_PER_METRE) for number in dpi)
            _write_chunk(file, b"pHYs", struct.pack(">IIB", across, down, 1))
        if exif is not None:
            _write_chunk(file, b"eXIf", exif)
        file.write(first[_BEGINNING:])
        file.writelines(others)


def _frame(pixels: DeepPixels, pix_fmt: str) -> av.VideoFrame:
    height, width, channels = pixels.shape
    frame = av.VideoFrame(width, height, pix_fmt)
    (plane,) = frame.planes
    rows = np.zeros((height, plane.line_size // 2), ">u2")
    rows[:, : width * channels] = pixels.reshape(height, -1)
    plane.update(rows.tobytes())
    return frame


def _write_chunk(file: BinaryIO, name: bytes, data: bytes) -> None:
    """Write one chunk with its length and checksum (PNG, W3C, third edition, 5.3)."""
    file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))

"""Writes colour of 16 bits as PNG by PyAV, which Pillow cannot."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vs_emtcm.pictures.deep_reader import DeepPixels
from vs_emtcm.pictures.png_chunks import Chunk, packed, pixels_start

# FFmpeg's pixel format for each number of channels.
_PIX_FMTS: Mapping[int, str] = {2: "ya16be", 3: "rgb48be", 4: "rgba64be"}
# Bytes of the signature and of the header chunk, behind which other chunks go.
_BEGINNING = 8 + 25
_INCHES_PER_METRE = 1 / 0.0254
# The unit of a resolution.
_METRE = 1


def write_deep_png(
    pixels: DeepPixels,
    target: Path,
    *,
    icc_profile: bytes | None,
    exif: bytes | None,
    dpi: tuple[float, float] | None,
    colour_chunks: Sequence[Chunk] = (),
) -> None:
    """Write a PNG file of 16 bits.

    Args:
        pixels: (H, W, channels), 2 (grey and opacity), 3 or 4 of them.
        target: the file, which is overwritten.
        icc_profile: a colour profile, or None.
        exif: without the prefix that JPEG has, or None.
        dpi: pixels per inch, horizontally and vertically, or None.
        colour_chunks: further chunks that describe the colours.

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
    chunks = list(colour_chunks)
    if icc_profile is not None:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile)))
    if dpi is not None:
        across, down = (round(number * _INCHES_PER_METRE) for number in dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, _METRE)))
    if exif is not None:
        chunks.append((b"eXIf", exif))
    first, *others = (memoryview(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    with target.open("wb") as file:
        file.write(first[:_BEGINNING])
        file.writelines(packed(*chunk) for chunk in chunks)
        # FFmpeg's own chunks before the pixels go: one is an invalid resolution.
        file.write(first[pixels_start(first) :])
        file.writelines(others)


def _frame(pixels: DeepPixels, pix_fmt: str) -> av.VideoFrame:
    height, width, channels = pixels.shape
    frame = av.VideoFrame(width, height, pix_fmt)
    (plane,) = frame.planes
    rows = np.zeros((height, plane.line_size // 2), ">u2")
    rows[:, : width * channels] = pixels.reshape(height, -1)
    plane.update(rows.tobytes())
    return frame

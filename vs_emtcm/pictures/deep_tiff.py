"""Writes colour of 16 bits as TIFF, which Pillow cannot, and FFmpeg only without a colour profile.

The strips are compressed here; Pillow writes the directory of tags.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path

from PIL import TiffImagePlugin

from vs_emtcm.pictures.deep_reader import DeepPixels

# Values of tags in TIFF 6.0, and of its supplement 2 for deflate.
_DEFLATE = 8
_HORIZONTAL_DIFFERENCES = 2
_RGB = 2
_INTERLEAVED = 1
_UNASSOCIATED_ALPHA = 2
_INCH = 2
# Bytes of a strip before compression.
_STRIP_BYTES = 1 << 20
# Bytes of all strips, at most: offsets are 32 bits, and the directory needs room.
_LARGEST = (1 << 32) - (1 << 26)


def write_deep_tiff(
    pixels: DeepPixels,
    target: Path,
    *,
    icc_profile: bytes | None,
    tags: Mapping[int, object],
    dpi: tuple[float, float] | None,
) -> None:
    """Write a TIFF file of 16 bits, compressed without loss.

    Args:
        pixels: (H, W, channels), 3 or 4 of them.
        target: the file, which is overwritten.
        icc_profile: a colour profile, or None.
        tags: further tags by number; a directory below the file's own is a mapping itself.
        dpi: pixels per inch, horizontally and vertically, or None.

    Raises:
        OSError: it cannot be written, or is larger than TIFF files can be.
    """
    height, width, channels = pixels.shape
    rows = max(1, _STRIP_BYTES // (2 * width * channels))
    strips = [_strip(pixels[top : top + rows]) for top in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    if sum(sizes) > _LARGEST:
        raise OSError("TIFF files end at 4 GB; write .png instead")
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[tag] = value
    directory[TiffImagePlugin.IMAGEWIDTH], directory[TiffImagePlugin.IMAGELENGTH] = width, height
    directory[TiffImagePlugin.BITSPERSAMPLE] = (16,) * channels
    directory[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    directory[TiffImagePlugin.COMPRESSION] = _DEFLATE
    directory[TiffImagePlugin.PREDICTOR] = _HORIZONTAL_DIFFERENCES
    directory[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = _RGB
    directory[TiffImagePlugin.PLANAR_CONFIGURATION] = _INTERLEAVED
    if channels == 4:
        directory[TiffImagePlugin.EXTRASAMPLES] = _UNASSOCIATED_ALPHA
    if dpi is not None:
        directory[TiffImagePlugin.X_RESOLUTION], directory[TiffImagePlugin.Y_RESOLUTION] = dpi
        directory[TiffImagePlugin.RESOLUTION_UNIT] = _INCH
    if icc_profile is not None:
        directory[TiffImagePlugin.ICCPROFILE] = icc_profile
    directory[TiffImagePlugin.ROWSPERSTRIP] = rows
    directory[TiffImagePlugin.STRIPBYTECOUNTS] = tuple(sizes)
    # Pillow adds the offset at which its directory ends.
    directory[TiffImagePlugin.STRIPOFFSETS] = tuple(accumulate(sizes[:-1], initial=0))
    with target.open("wb") as file:
        directory.save(file)
        file.writelines(strips)


def _strip(rows: DeepPixels) -> bytes:
    """Compress rows as the differences of neighbouring pixels (TIFF 6.0, section 14)."""
    differences = rows.astype("<u2")
    differences[:, 1:] -= rows[:, :-1]
    return zlib.compress(differences.tobytes())

"""A picture in memory, and the modes that one can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vs_emtcm.formats import PixelFormat, Plane
from vs_emtcm.pictures.png_chunks import Chunk

# A mode is Pillow's name for the samples of a picture. Pillow has no mode for 16-bit colour; the names here
# follow its style.
FORMATS: Mapping[str, PixelFormat] = {
    "L": PixelFormat(family="gray"),
    "LA": PixelFormat(family="gray", alpha=True),
    "RGB": PixelFormat(family="rgb"),
    "RGBA": PixelFormat(family="rgb", alpha=True),
    "I;16": PixelFormat(family="gray", bits=16),
    "LA;16": PixelFormat(family="gray", bits=16, alpha=True),
    "RGB;16": PixelFormat(family="rgb", bits=16),
    "RGBA;16": PixelFormat(family="rgb", bits=16, alpha=True),
}
# Modes that Pillow does not have, by their number of channels.
DEEP_MODES: Mapping[int, str] = {2: "LA;16", 3: "RGB;16", 4: "RGBA;16"}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture in memory.

    Attributes:
        mode: a key of :data:`FORMATS`.
        pixels: (H, W) or (H, W, channels), uint8 or uint16.
        icc_profile: colour profile as stored in the file, or None.
        exif: Exif with the prefix that JPEG gives it, or None.
        dpi: pixels per inch, horizontally and vertically, if the file says so.
        colour_chunks: of a PNG file, what describes its colours beside the profile.
        warnings: what was lost in reading, one sentence each.
    """

    mode: str
    pixels: Plane
    icc_profile: bytes | None
    exif: bytes | None
    dpi: tuple[float, float] | None = None
    colour_chunks: tuple[Chunk, ...] = ()
    warnings: tuple[str, ...] = ()

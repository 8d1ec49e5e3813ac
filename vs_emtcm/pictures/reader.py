"""Reads a picture file in all the bits that it has."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin
from PIL.ImageFile import ImageFile

from vs_emtcm.errors import DamagedError, UsageError, reason
from vs_emtcm.formats import Plane
from vs_emtcm.pictures.deep_reader import is_deep_colour, is_misread, read_deep
from vs_emtcm.pictures.jpeg_chroma import sharpen_chroma
from vs_emtcm.pictures.picture import DEEP_MODES, Picture
from vs_emtcm.pictures.png_chunks import colour_chunks
from vs_emtcm.pictures.tags import DAMAGED_EXIF, UNREADABLE_EXIF, stored_exif
from vs_emtcm.pillow import UNREADABLE, opened_formats

# Pixels per inch that are still believed.
LARGEST_DPI = 10_000.0
# Of TIFF's photometric interpretations, the one with white at zero.
WHITE_IS_ZERO = 0


def read_picture(path: Path) -> Picture:
    """Read a picture; its orientation stays a tag, but for TIFF, whose pixels are turned as it says.

    Raises:
        UsageError: the file is missing, animated, has several pages, or is of a kind that is not accepted.
        DamagedError: it is damaged, or no picture.
    """
    try:
        # Pillow warns of large pictures long before it refuses them.
        ignored = warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning)
        with ignored, Image.open(path, formats=opened_formats()) as image:
            _refuse_several(path, image)
            return _read(path, image)
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist; give a picture") from error
    except Image.DecompressionBombError as error:
        raise UsageError(f"{path} is too large: {error}") from error
    except UNREADABLE as error:
        raise DamagedError(f"{path} cannot be read as a picture: {reason(error)}") from error


def _refuse_several(path: Path, image: ImageFile) -> None:
    frames = getattr(image, "n_frames", 1)
    # A camera's MPO is a photograph with previews or a second view behind it.
    if frames > 1 and image.format != "MPO":
        raise UsageError(
            f"{path} is animated or has several pages ({frames} frames); extract single "
            "pictures first, or convert it to a video"
        )


def _read(path: Path, image: ImageFile) -> Picture:
    lost: list[str] = []
    mode, pixels = _read_pixels(path, image, lost)
    if mode == "I;16" and image.has_transparency_data:
        lost.append(f"{path} has a transparent grey of 16 bits; it becomes opaque")
    exif = None
    try:
        exif = stored_exif(image)
    except UNREADABLE_EXIF:
        lost.append(f"{path}: {DAMAGED_EXIF}")
    return Picture(
        mode=mode,
        pixels=pixels,
        icc_profile=image.info.get("icc_profile"),
        exif=exif,
        dpi=_dpi(image),
        colour_chunks=colour_chunks(path),
        warnings=tuple(lost),
    )


def _read_pixels(path: Path, image: ImageFile, lost: list[str]) -> tuple[str, Plane]:
    """The mode and the pixels; a sentence is added to ``lost`` if 16 bits become 8."""
    deep = is_deep_colour(image)
    # Pillow turns the pixels of TIFF files when it loads them, and forgets the tag.
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1) if image.format == "TIFF" else 1
    image.load()
    mode, pixels = _pillow_pixels(path, image)
    if not deep:
        is_colour_jpeg = image.format in ("JPEG", "MPO") and mode == "RGB"
        return mode, sharpen_chroma(path, pixels) if is_colour_jpeg else pixels
    all_bits = read_deep(path, image.format or "", pixels, orientation)
    if all_bits is not None:
        if image.format == "TIFF" and image.mode == "RGB":
            # A fourth channel that is not opacity, such as a scanner's infrared.
            all_bits = all_bits[..., :3]
        return DEEP_MODES[all_bits.shape[2]], all_bits
    if is_misread(image):
        raise UsageError(
            f"{path} holds 16 bits in planes that are not compressed, which cannot be read; "
            "save it as PNG, or with its colours interleaved"
        )
    lost.append(f"{path} has 16-bit colour of a kind that is read as 8 bits; save it as PNG to keep them")
    return mode, pixels


def _pillow_pixels(path: Path, image: Image.Image) -> tuple[str, Plane]:
    """The mode and the pixels of what Pillow has loaded: grey of 8 or 16 bits, colour of 8."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N"):
        values = np.asarray(image).astype(np.uint16)
        return "I;16", 0xFFFF - values if _is_negative(image) else values
    if image.mode == "I":
        values = np.asarray(image)
        if values.min() >= 0 and values.max() <= 0xFFFF:
            return "I;16", values.astype(np.uint16)
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "La", "YCbCr"):
        raise UsageError(
            f"{path} is a picture of kind {image.mode}; accepted are grey (8 and 16 bits), RGB and "
            "palette, with or without alpha; convert it to RGB first"
        )
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("L" if grey else "RGB") + ("A" if image.has_transparency_data else "")
    return mode, np.asarray(image.convert(mode))


def _is_negative(image: Image.Image) -> bool:
    """Whether zero is white. Pillow inverts such pictures of 8 bits, but not of 16."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    found = image.info.get("dpi")
    if found is None:
        return None
    across, down = (float(number) for number in found)
    # Some programs write a resolution of 1 where there is none. A comparison with NaN is false as well.
    return (across, down) if 1 < across < LARGEST_DPI and 1 < down < LARGEST_DPI else None

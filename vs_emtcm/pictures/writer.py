"""Writes a picture file, which appears under its name only when it is complete."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from vs_emtcm.errors import EmtcmError, reason
from vs_emtcm.output import complete_file
from vs_emtcm.pictures.deep_png import write_deep_png
from vs_emtcm.pictures.deep_tiff import write_deep_tiff
from vs_emtcm.pictures.exif import PREFIX
from vs_emtcm.pictures.kinds import check_mode, check_quality, picture_kind
from vs_emtcm.pictures.picture import DEEP_MODES, Picture
from vs_emtcm.pictures.tags import DIRECTORIES, UNREADABLE_EXIF, photograph_tags

# Pillow's options for each kind. JPEG is written without subsampling of chroma.
SAVE_OPTIONS: Mapping[str, Mapping[str, object]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_deflate"},
}


def write_picture(picture: Picture, target: Path, quality: int | None = None) -> None:
    """Write a picture; the kind of file follows from the suffix.

    Args:
        picture: what is written.
        target: the file.
        quality: of JPEG and WebP, 1 to 100; None is 95.

    Raises:
        UsageError: this kind of file cannot hold the picture, or has no quality.
        EmtcmError: writing failed.
    """
    kind = picture_kind(target)
    check_mode(picture.mode, target)
    check_quality(quality, target)
    try:
        with complete_file(target) as temporary:
            if picture.mode in DEEP_MODES.values():
                _save_deep(picture, temporary, kind)
            else:
                _save(picture, temporary, kind, quality)
    except (OSError, ValueError, SyntaxError, RuntimeError, struct.error) as error:
        raise EmtcmError(f"{target} cannot be written: {reason(error)}") from error


def _save(picture: Picture, target: Path, kind: str, quality: int | None) -> None:
    options = dict(SAVE_OPTIONS.get(kind, {}))
    if quality is not None:
        options["quality"] = quality
    if picture.icc_profile is not None and kind != "BMP":
        options["icc_profile"] = picture.icc_profile
    if picture.dpi is not None:
        options["dpi"] = picture.dpi
    if picture.exif is not None and kind == "TIFF":
        options |= _tiff_options(picture.exif)
    elif picture.exif is not None and kind != "BMP":
        options["exif"] = picture.exif
    if kind == "PNG":
        options["pnginfo"] = chunks = PngInfo()
        for name, data in picture.colour_chunks:
            chunks.add(name, data)
    Image.fromarray(picture.pixels).save(target, format=kind, **options)


def _save_deep(picture: Picture, target: Path, kind: str) -> None:
    pixels = picture.pixels.astype(np.uint16)
    if kind == "TIFF":
        # Pillow, like other programs, reads no grey with opacity of 16 bits.
        if picture.mode == "LA;16":
            pixels = pixels[..., [0, 0, 0, 1]]
        tags = {} if picture.exif is None else dict(photograph_tags(picture.exif))
        write_deep_tiff(pixels, target, icc_profile=picture.icc_profile, tags=tags, dpi=picture.dpi)
    else:
        exif = picture.exif and picture.exif.removeprefix(PREFIX)
        write_deep_png(
            pixels,
            target,
            icc_profile=picture.icc_profile,
            exif=exif,
            dpi=picture.dpi,
            colour_chunks=picture.colour_chunks,
        )


def _tiff_options(exif: bytes) -> dict[str, object]:
    """Pillow's options that put Exif into a TIFF file without replacing the file's own tags."""
    kept = photograph_tags(exif)
    # Pillow's writer of compressed TIFF takes no directories.
    compression = {"compression": "raw"} if DIRECTORIES & set(kept) else {}
    return {"exif": kept.tobytes(), **compression} if len(kept) else {}


def fits_tiff(exif: bytes) -> bool:
    """Whether Exif can be written to a TIFF file; a picture of one pixel shows it."""
    try:
        options = {**SAVE_OPTIONS["TIFF"], **_tiff_options(exif)}
        Image.new("L", (1, 1)).save(io.BytesIO(), format="TIFF", **options)
    except UNREADABLE_EXIF:
        return False
    return True

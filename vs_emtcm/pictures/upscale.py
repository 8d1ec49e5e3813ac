"""The way of a picture: read, upscaled, written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vs_emtcm.pictures.exif import upscaled_exif
from vs_emtcm.pictures.kinds import check_mode, check_quality, check_size, picture_kind
from vs_emtcm.pictures.picture import FORMATS, Picture
from vs_emtcm.pictures.reader import read_picture
from vs_emtcm.pictures.tags import DAMAGED_EXIF
from vs_emtcm.pictures.writer import fits_tiff, write_picture
from vs_emtcm.planes import Color
from vs_emtcm.upscaler import Upscaler


def upscale_picture(source: Path, target: Path, upscaler: Upscaler, quality: int | None = None) -> Picture:
    """Upscale one picture file into another; alpha, ICC profile and Exif are kept.

    Args:
        source: the picture.
        target: the result; see :func:`vs_emtcm.pictures.writer.write_picture` for its kind.
        upscaler: what upscales it.
        quality: of JPEG and WebP, 1 to 100; None is 95.

    Returns:
        The upscaled picture.

    Raises:
        UsageError: the source or the target's kind cannot be used.
        DamagedError: the source is damaged, or no picture.
        EmtcmError: writing failed.
    """
    check_quality(quality, target)
    picture = read_picture(source)
    check_mode(picture.mode, target)
    height, width = picture.pixels.shape[:2]
    check_size(width * upscaler.scale, height * upscaler.scale, target)
    # Every other kind of file takes any Exif; whether TIFF does is found out before the work.
    if picture.exif is not None and picture_kind(target) == "TIFF" and not fits_tiff(picture.exif):
        picture = _with_warning(replace(picture, exif=None), f"{source}: {DAMAGED_EXIF}")
    upscaled = upscale(picture, upscaler)
    write_picture(upscaled, target, quality)
    if picture_kind(target) == "BMP" and (picture.exif or picture.icc_profile):
        lost = f"{target} cannot hold the Exif and colour profile of {source}; .png can"
        return _with_warning(upscaled, lost)
    return upscaled


def upscale(picture: Picture, upscaler: Upscaler) -> Picture:
    """Upscale a picture in memory; what its Exif says of its size grows with it."""
    format = FORMATS[picture.mode]
    planes = [picture.pixels] if picture.pixels.ndim == 2 else list(np.moveaxis(picture.pixels, 2, 0))
    results = upscaler.upscale(planes, format, Color(range="full"))
    return replace(
        picture,
        pixels=results[0] if len(results) == 1 else np.stack(results, axis=2),
        exif=picture.exif and upscaled_exif(picture.exif, upscaler.scale),
        # The print stays as large as it was.
        dpi=picture.dpi and (picture.dpi[0] * upscaler.scale, picture.dpi[1] * upscaler.scale),
    )


def _with_warning(picture: Picture, warning: str) -> Picture:
    return replace(picture, warnings=(*picture.warnings, warning))

"""The way of a picture: read, upscaled, written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vs_emtcm.formats import Color
from vs_emtcm.pictures.exif import upscaled_exif
from vs_emtcm.pictures.kinds import (
    becomes_colour,
    check_mode,
    check_quality,
    check_size,
    is_grey_profile,
    picture_kind,
)
from vs_emtcm.pictures.picture import FORMATS, Picture
from vs_emtcm.pictures.png_chunks import is_plain_srgb
from vs_emtcm.pictures.reader import read_picture
from vs_emtcm.pictures.tags import DAMAGED_EXIF
from vs_emtcm.pictures.writer import fits_tiff, write_picture
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
    upscaled = upscale(_fitted(picture, source, target), upscaler)
    write_picture(upscaled, target, quality)
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


def _fitted(picture: Picture, source: Path, target: Path) -> Picture:
    """A picture without what its target cannot hold, with a warning for each loss."""
    kind = picture_kind(target)
    warnings = list(picture.warnings)
    exif, profile, chunks = picture.exif, picture.icc_profile, picture.colour_chunks
    if kind == "BMP" and (exif or profile):
        exif = profile = None
        warnings.append(f"{target} cannot hold the Exif and colour profile of {source}; .png can")
    elif kind == "TIFF" and exif is not None and not fits_tiff(exif):
        exif = None
        warnings.append(f"{source}: {DAMAGED_EXIF}")
    if profile is not None and is_grey_profile(profile) and becomes_colour(picture.mode, kind):
        profile = None
        warnings.append(f"{target} holds colour and not the grey colour profile of {source}; .png can")
    if kind != "PNG" and chunks:
        # A profile says more than all but one of them.
        if not is_plain_srgb(chunks) and (profile is None or b"cICP" in dict(chunks)):
            names = ", ".join(name.decode() for name, _ in chunks)
            warnings.append(f"{target} cannot hold what says of {source}'s colours ({names}); .png can")
        chunks = ()
    return replace(picture, exif=exif, icc_profile=profile, colour_chunks=chunks, warnings=tuple(warnings))

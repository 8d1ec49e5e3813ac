"""Still pictures through Pillow."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from vs_emtcm import exif as exif_data
from vs_emtcm.deep_pictures import is_deep_colour, is_misread, read_deep, write_deep_png, write_deep_tiff
from vs_emtcm.errors import DamagedError, EmtcmError, UsageError, reason
from vs_emtcm.formats import Color, PixelFormat, Plane
from vs_emtcm.jpeg import along_luma
from vs_emtcm.output import complete_file
from vs_emtcm.pillow import UNREADABLE, opened_formats
from vs_emtcm.upscaler import Upscaler

SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}

# Common kinds of pictures that are told from videos, which have other suffixes.
UNREAD_PICTURES = frozenset({".gif", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".psd", ".exr", ".tga"})

# How each mode of a picture is worked on.
FORMATS: Mapping[str, PixelFormat] = {
    "L": PixelFormat(family="gray"),
    "LA": PixelFormat(family="gray", alpha=True),
    "RGB": PixelFormat(family="rgb"),
    "RGBA": PixelFormat(family="rgb", alpha=True),
    "I;16": PixelFormat(family="gray", bits=16),
    # Not Pillow's, but named as it would.
    "LA;16": PixelFormat(family="gray", bits=16, alpha=True),
    "RGB;16": PixelFormat(family="rgb", bits=16),
    "RGBA;16": PixelFormat(family="rgb", bits=16, alpha=True),
}
DEEP = {2: "LA;16", 3: "RGB;16", 4: "RGBA;16"}
HOLDS: Mapping[str, tuple[str, ...]] = {
    "PNG": tuple(FORMATS),
    "JPEG": ("L", "RGB"),
    "WEBP": ("L", "LA", "RGB", "RGBA"),
    "TIFF": tuple(FORMATS),
    "BMP": ("L", "RGB"),
}
SAVE_OPTIONS: Mapping[str, Mapping[str, object]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_deflate"},
}
LOSSY = frozenset({"JPEG", "WEBP"})

# Pixels of a side.
LARGEST: Mapping[str, int] = {"JPEG": 65500, "WEBP": 16383}

# What Pillow raises at damaged Exif, in reading it and in writing it anew.
UNREADABLE_EXIF = (*UNREADABLE, AttributeError, LookupError)
DAMAGED_EXIF = "its Exif is damaged and left out"

LARGEST_DPI = 10_000.0

# Baseline TIFF tags that describe the photograph and not its storage: description, make, model,
# orientation, software, date, artist, copyright, and the Exif and GPS directories.
ORIENTATION = 274
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
GPS_DIRECTORY = 34853
DIRECTORIES = frozenset({exif_data.EXIF_DIRECTORY, GPS_DIRECTORY})
TIFF_TAGS_KEPT = frozenset({270, 271, 272, ORIENTATION, 305, 306, 315, 33432}) | DIRECTORIES


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture in memory.

    Attributes:
        mode: a key of :data:`FORMATS`.
        pixels: (H, W) or (H, W, channels), uint8 or uint16.
        icc_profile, exif: as stored in the file, or None.
        dpi: pixels per inch, horizontally and vertically, if the file says so.
        warnings: what was lost in reading, one sentence each.
    """

    mode: str
    pixels: Plane
    icc_profile: bytes | None
    exif: bytes | None
    dpi: tuple[float, float] | None = None
    warnings: tuple[str, ...] = ()


def read_picture(path: Path) -> Picture:
    """Read a picture; its orientation stays a tag, but for TIFF, whose pixels are turned as it says.

    Raises:
        UsageError: the file is missing, animated, has several pages, or is of a kind that is not accepted.
        DamagedError: it is damaged, or no picture.
    """
    try:
        # Of what Pillow still opens, nothing is too large.
        ignored = warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning)
        with ignored, Image.open(path, formats=opened_formats()) as image:
            frames = getattr(image, "n_frames", 1)
            # A camera's MPO is a photograph with previews or a second view behind it.
            if frames > 1 and image.format != "MPO":
                raise UsageError(
                    f"{path} is animated or has several pages ({frames} frames); extract single "
                    "pictures first, or convert it to a video"
                )
            deep = is_deep_colour(image)
            # Of TIFF files, Pillow turns the pixels.
            orientation = image.getexif().get(ORIENTATION, 1) if image.format == "TIFF" else 1
            image.load()
            mode, pixels = _pixels(path, image)
            found = read_deep(path, image.format or "", pixels, orientation) if deep else None
            lost = []
            if found is not None:
                mode, pixels = DEEP[found.shape[2]], found
            elif image.format in ("JPEG", "MPO") and mode == "RGB":
                pixels = along_luma(path, pixels)
            elif deep and is_misread(image):
                raise UsageError(
                    f"{path} holds 16 bits in planes that are not compressed, which cannot be read; "
                    "save it as PNG, or with its colours interleaved"
                )
            elif deep:
                lost.append(
                    f"{path} has 16-bit colour of a kind that is read as 8 bits; save it as PNG to keep them"
                )
            if mode == "I;16" and image.has_transparency_data:
                lost.append(f"{path} has a transparent grey of 16 bits; it becomes opaque")
            exif = None
            try:
                exif = _exif(image)
            except UNREADABLE_EXIF:
                lost.append(f"{path}: {DAMAGED_EXIF}")
            return Picture(
                mode=mode,
                pixels=pixels,
                icc_profile=image.info.get("icc_profile"),
                exif=exif,
                dpi=_dpi(image),
                warnings=tuple(lost),
            )
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist; give a picture") from error
    except Image.DecompressionBombError as error:
        raise UsageError(f"{path} is too large: {error}") from error
    except UNREADABLE as error:
        raise DamagedError(f"{path} cannot be read as a picture: {reason(error)}") from error


def _pixels(path: Path, image: Image.Image) -> tuple[str, Plane]:
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
    """Whether zero is white, which Pillow turns round of 8 bits alone."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(PHOTOMETRIC) == WHITE_IS_ZERO


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    found = image.info.get("dpi")
    if found is None:
        return None
    across, down = (float(number) for number in found)
    # NaN is not below itself either; a resolution of 1 is how some programs say that there is none.
    return (across, down) if 1 < across < LARGEST_DPI and 1 < down < LARGEST_DPI else None


def _exif(image: Image.Image) -> bytes | None:
    """As it is stored, but of TIFF what is the photograph's; raises UNREADABLE_EXIF if it is damaged."""
    if image.format != "TIFF":
        exif = image.info.get("exif")
        if not isinstance(exif, bytes):
            return None
        _loaded(exif)
        # WebP stores it without the prefix that JPEG needs.
        return exif if exif.startswith(exif_data.PREFIX) else exif_data.PREFIX + exif
    kept = _of_the_photograph(image.getexif())
    return kept.tobytes() if len(kept) else None


def _of_the_photograph(tags: Image.Exif) -> Image.Exif:
    kept = Image.Exif()
    for tag in TIFF_TAGS_KEPT & set(tags):
        kept[tag] = tags.get_ifd(tag) if tag in DIRECTORIES else tags[tag]
    return kept


def _loaded(exif: bytes) -> Image.Exif:
    tags = Image.Exif()
    # Tags that are damaged alone are skipped, with a warning of Pillow's.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        tags.load(exif)
        return _of_the_photograph(tags)


def _tiff_options(exif: bytes) -> dict[str, object]:
    """How Exif of any file goes into a TIFF file, whose own tags it must not replace."""
    kept = _loaded(exif)
    # Pillow's writer of compressed TIFF takes no directories.
    compression = {"compression": "raw"} if DIRECTORIES & set(kept) else {}
    return {"exif": kept.tobytes(), **compression} if len(kept) else {}


def _fits_tiff(exif: bytes) -> bool:
    """Whether a TIFF file takes it, which a small one tells before the work is done."""
    try:
        options = {**SAVE_OPTIONS["TIFF"], **_tiff_options(exif)}
        Image.new("L", (1, 1)).save(io.BytesIO(), format="TIFF", **options)
    except UNREADABLE_EXIF:
        return False
    return True


def write_picture(picture: Picture, target: Path, quality: int | None = None) -> None:
    """Write a picture; the kind follows from the suffix. It appears only when complete.

    Args:
        picture: what is written.
        target: the file.
        quality: of JPEG and WebP, 1 to 100; None is 95.

    Raises:
        UsageError: this kind of file cannot hold the picture, or has no quality.
        EmtcmError: writing failed.
    """
    kind = picture_kind(target)
    check_holds(picture.mode, target)
    check_quality(quality, target)
    try:
        with complete_file(target) as temporary:
            if picture.mode in DEEP.values():
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
    Image.fromarray(picture.pixels).save(target, format=kind, **options)


def _save_deep(picture: Picture, target: Path, kind: str) -> None:
    pixels, profile, exif, dpi = (
        picture.pixels.astype(np.uint16),
        picture.icc_profile,
        picture.exif,
        picture.dpi,
    )
    if kind == "TIFF":
        # Pillow reads no grey with opacity of 16 bits.
        if picture.mode == "LA;16":
            pixels = pixels[..., [0, 0, 0, 1]]
        kept = {} if exif is None else _loaded(exif)
        write_deep_tiff(pixels, target, icc_profile=profile, tags=dict(kept), dpi=dpi)
    else:
        bare = exif and exif.removeprefix(exif_data.PREFIX)
        write_deep_png(pixels, target, icc_profile=profile, exif=bare, dpi=dpi)


def picture_kind(path: Path) -> str:
    """Pillow's name of the format that a suffix stands for.

    Raises:
        UsageError: the suffix is not one of :data:`SUFFIXES`.
    """
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        accepted = ", ".join(SUFFIXES)
        raise UsageError(f"{path} has no picture's suffix; accepted are {accepted}")
    return kind


def check_holds(mode: str, target: Path) -> None:
    """Refuse a kind of file that would lose alpha or bits.

    Raises:
        UsageError: it would.
    """
    if mode not in HOLDS[picture_kind(target)]:
        lost = "16-bit grey" if mode == "I;16" else "16-bit colour" if mode in DEEP.values() else "alpha"
        raise UsageError(f"a {target.suffix} file cannot hold {lost}; write .png or .tiff instead")


def check_quality(quality: int | None, target: Path) -> None:
    """Refuse a quality for a kind of file that loses nothing.

    Raises:
        UsageError: it is one.
    """
    if quality is not None and picture_kind(target) not in LOSSY:
        raise UsageError(f"a {target.suffix} file loses nothing; leave --quality out, or write .jpg or .webp")


def check_size(width: int, height: int, target: Path) -> None:
    """Refuse a kind of file that cannot be as large.

    Raises:
        UsageError: it cannot.
    """
    largest = LARGEST.get(picture_kind(target))
    if largest is not None and max(width, height) > largest:
        raise UsageError(
            f"a {target.suffix} file cannot hold {width}x{height} pixels, its sides end at {largest}; "
            "write .png instead"
        )


def upscale_picture(source: Path, target: Path, upscaler: Upscaler, quality: int | None = None) -> Picture:
    """Upscale one picture file into another; alpha, ICC profile and Exif are kept.

    Args:
        source: the picture.
        target: the result; see :func:`write_picture` for its kind and ``quality``.
        upscaler: what upscales it.
        quality: see there.

    Returns:
        The upscaled picture.

    Raises:
        UsageError: the source or the target's kind cannot be used.
        DamagedError: the source is damaged, or no picture.
        EmtcmError: writing failed.
    """
    check_quality(quality, target)
    picture = read_picture(source)
    check_holds(picture.mode, target)
    height, width = picture.pixels.shape[:2]
    check_size(width * upscaler.scale, height * upscaler.scale, target)
    # Other kinds take it as it is.
    if picture.exif is not None and picture_kind(target) == "TIFF" and not _fits_tiff(picture.exif):
        lost = f"{source}: {DAMAGED_EXIF}"
        picture = replace(picture, exif=None, warnings=(*picture.warnings, lost))
    upscaled = upscale(picture, upscaler)
    write_picture(upscaled, target, quality)
    if picture_kind(target) == "BMP" and (picture.exif or picture.icc_profile):
        lost = f"{target} cannot hold the Exif and colour profile of {source}; .png can"
        return replace(upscaled, warnings=(*upscaled.warnings, lost))
    return upscaled


def upscale(picture: Picture, upscaler: Upscaler) -> Picture:
    """Upscale a picture in memory."""
    format = FORMATS[picture.mode]
    planes = [picture.pixels] if picture.pixels.ndim == 2 else list(np.moveaxis(picture.pixels, 2, 0))
    results = upscaler.upscale(planes, format, Color(range="full"))
    return Picture(
        mode=picture.mode,
        pixels=results[0] if len(results) == 1 else np.stack(results, axis=2),
        icc_profile=picture.icc_profile,
        exif=picture.exif and exif_data.upscaled(picture.exif, upscaler.scale),
        # It is printed as large as it was.
        dpi=picture.dpi and (picture.dpi[0] * upscaler.scale, picture.dpi[1] * upscaler.scale),
        warnings=picture.warnings,
    )

"""Kinds of picture files: their suffixes, and what each of them can hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vs_emtcm.errors import UsageError
from vs_emtcm.pictures.picture import DEEP_MODES, FORMATS

# Pillow's name of the kind that each suffix stands for.
SUFFIXES: Mapping[str, str] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
# Suffixes of common kinds that are not read. They are pictures nevertheless: whatever has another suffix is
# taken for a video.
UNREAD_SUFFIXES = frozenset({".gif", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".psd", ".exr", ".tga"})
# Modes that each kind holds without loss of bits or opacity.
MODES: Mapping[str, tuple[str, ...]] = {
    "PNG": tuple(FORMATS),
    "JPEG": ("L", "RGB"),
    "WEBP": ("L", "LA", "RGB", "RGBA"),
    "TIFF": tuple(FORMATS),
    "BMP": ("L", "RGB"),
}
# Kinds whose compression has a quality.
LOSSY = frozenset({"JPEG", "WEBP"})
# Largest side in pixels, where the kind has a limit.
LARGEST_SIDE: Mapping[str, int] = {"JPEG": 65500, "WEBP": 16383}


def picture_kind(path: Path) -> str:
    """Pillow's name of the kind that a suffix stands for.

    Raises:
        UsageError: the suffix is not one of :data:`SUFFIXES`.
    """
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        accepted = ", ".join(SUFFIXES)
        raise UsageError(f"{path} has no picture's suffix; accepted are {accepted}")
    return kind


def becomes_colour(mode: str, kind: str) -> bool:
    """Whether a grey picture of this mode is stored as colour in a file of this kind."""
    # WebP has no grey, and TIFF is written without grey of 16 bits with opacity.
    return mode.startswith(("L", "I")) and (kind == "WEBP" or (kind, mode) == ("TIFF", "LA;16"))


def is_grey_profile(icc_profile: bytes) -> bool:
    """Whether a colour profile is one of grey (ICC.1:2022, 7.2.8, the colour space of its data)."""
    return icc_profile[16:20] == b"GRAY"


def check_mode(mode: str, target: Path) -> None:
    """Refuse to write a picture to a kind of file that would lose its opacity or some of its bits.

    Args:
        mode: a key of :data:`vs_emtcm.pictures.picture.FORMATS`.
        target: the file.

    Raises:
        UsageError: the kind of file does not hold this mode.
    """
    if mode not in MODES[picture_kind(target)]:
        lost = (
            "16-bit grey" if mode == "I;16" else "16-bit colour" if mode in DEEP_MODES.values() else "alpha"
        )
        raise UsageError(f"a {target.suffix} file cannot hold {lost}; write .png or .tiff instead")


def check_quality(quality: int | None, target: Path) -> None:
    """Refuse a quality for a kind of file that is compressed without loss.

    Raises:
        UsageError: ``quality`` is given and the kind of file has none.
    """
    if quality is not None and picture_kind(target) not in LOSSY:
        raise UsageError(f"a {target.suffix} file loses nothing; leave --quality out, or write .jpg or .webp")


def check_size(width: int, height: int, target: Path) -> None:
    """Refuse a picture that is larger than its kind of file can be.

    Args:
        width: in pixels.
        height: in pixels.
        target: the file.

    Raises:
        UsageError: a side is too long.
    """
    largest = LARGEST_SIDE.get(picture_kind(target))
    if largest is not None and max(width, height) > largest:
        raise UsageError(
            f"a {target.suffix} file cannot hold {width}x{height} pixels, its sides end at {largest}; "
            "write .png instead"
        )

"""The Exif of picture files as Pillow reads it, and the TIFF tags that describe a photograph."""

from __future__ import annotations

import warnings

from PIL import ExifTags, Image

from vs_emtcm.pictures.exif import PREFIX
from vs_emtcm.pillow import UNREADABLE

# What Pillow raises at damaged Exif, when it reads it and when it writes it anew.
UNREADABLE_EXIF = (*UNREADABLE, AttributeError, LookupError)
DAMAGED_EXIF = "its Exif is damaged and left out"

DIRECTORIES: frozenset[int] = frozenset({ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo})
# Tags that describe the photograph and not how a TIFF file stores it.
PHOTOGRAPH_TAGS: frozenset[int] = DIRECTORIES | {
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Orientation,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
}


def stored_exif(image: Image.Image) -> bytes | None:
    """The Exif of an opened picture, with the prefix that JPEG gives it, or None if it has none.

    It is returned as it is stored, but for TIFF, whose own tags are left out: see :data:`PHOTOGRAPH_TAGS`.

    Raises:
        Exception: one of :data:`UNREADABLE_EXIF`; it is damaged.
    """
    if image.format != "TIFF":
        exif = image.info.get("exif")
        if not isinstance(exif, bytes):
            return None
        photograph_tags(exif)
        # WebP stores it without the prefix that JPEG needs.
        return exif if exif.startswith(PREFIX) else PREFIX + exif
    kept = _without_storage(image.getexif())
    return kept.tobytes() if len(kept) else None


def photograph_tags(exif: bytes) -> Image.Exif:
    """The tags of Exif that describe the photograph.

    Raises:
        Exception: one of :data:`UNREADABLE_EXIF`; it is damaged.
    """
    tags = Image.Exif()
    # Pillow skips single damaged tags, with a warning.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        tags.load(exif)
        return _without_storage(tags)


def _without_storage(tags: Image.Exif) -> Image.Exif:
    kept = Image.Exif()
    for tag in PHOTOGRAPH_TAGS & set(tags):
        kept[tag] = tags.get_ifd(tag) if tag in DIRECTORIES else tags[tag]
    return kept

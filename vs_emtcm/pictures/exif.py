"""The Exif of an upscaled picture: the sizes that it states grow, everything else stays to the byte.

Pillow would write it anew, without its preview and with makers' notes whose offsets point to nothing.
"""

from __future__ import annotations

import struct

from PIL import ExifTags

# What JPEG puts before Exif.
PREFIX = b"Exif\0\0"

_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
# Types of values.
_SHORT = 3
_LONG = 4
_RATIONAL = 5
_LARGEST_LONG = 0xFFFFFFFF
# Tags that hold a side of the picture in pixels ...
_SIDES: frozenset[int] = frozenset(
    {
        ExifTags.Base.ImageWidth,
        ExifTags.Base.ImageLength,
        ExifTags.Base.ExifImageWidth,
        ExifTags.Base.ExifImageHeight,
    }
)
# ... and pixels per inch or centimetre.
_RESOLUTIONS: frozenset[int] = frozenset({ExifTags.Base.XResolution, ExifTags.Base.YResolution})


def upscaled_exif(exif: bytes, scale: int) -> bytes:
    """Multiply the sides and the resolution in Exif by ``scale`` (Exif 2.32, JEITA CP-3451).

    Args:
        exif: as in a file, with or without its prefix.
        scale: 2, 3 or 4.

    Returns:
        As many bytes; ``exif`` itself if it is damaged.
    """
    data = bytearray(exif)
    try:
        _grow(data, len(PREFIX) if exif.startswith(PREFIX) else 0, scale)
    except (struct.error, KeyError):
        return exif
    return bytes(data)


def _grow(data: bytearray, start: int, scale: int) -> None:
    """Change Exif that begins at ``start``."""
    order = _BYTE_ORDERS[bytes(data[start : start + 2])]
    (first,) = struct.unpack_from(f"{order}4xI", data, start)
    resolutions: set[int] = set()
    camera = _grow_directory(data, start, first, order, scale, resolutions)
    if camera not in (None, first):
        _grow_directory(data, start, camera, order, scale, resolutions)
    # The two resolutions may point to one number, which must grow once.
    for place in resolutions:
        (number,) = struct.unpack_from(f"{order}I", data, place)
        if number * scale <= _LARGEST_LONG:
            struct.pack_into(f"{order}I", data, place, number * scale)


def _grow_directory(
    data: bytearray, start: int, directory: int, order: str, scale: int, resolutions: set[int]
) -> int | None:
    """Multiply the sides in one directory, and note in ``resolutions`` where its resolutions are.

    Returns:
        The offset of the camera's directory, if this one has it.
    """
    camera = None
    (count,) = struct.unpack_from(f"{order}H", data, start + directory)
    for i in range(count):
        place = start + directory + 2 + 12 * i
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, place)
        (value,) = struct.unpack_from(f"{order}{'H' if kind == _SHORT else 'I'}", data, place + 8)
        if values != 1:
            continue
        if tag == ExifTags.IFD.Exif:
            camera = value
        elif tag in _SIDES and kind in (_SHORT, _LONG) and value * scale <= _LARGEST_LONG:
            struct.pack_into(f"{order}HII", data, place + 2, _LONG, 1, value * scale)
        elif tag in _RESOLUTIONS and kind == _RATIONAL:
            resolutions.add(start + value)
    return camera

"""The Exif of an upscaled picture: what it says of the size grows, everything else stays to the byte.

Written anew by Pillow, it would lose its preview, and makers' notes would point to nothing.
"""

from __future__ import annotations

import struct

PREFIX = b"Exif\0\0"
_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_SHORT, _LONG, _RATIONAL = 3, 4, 5
# Tags of Exif 2.32: ImageWidth, ImageLength, PixelXDimension, PixelYDimension; XResolution, YResolution.
_SIDES = frozenset({256, 257, 40962, 40963})
_RESOLUTIONS = frozenset({282, 283})
EXIF_DIRECTORY = 34665
_LARGEST = 0xFFFFFFFF


def upscaled(exif: bytes, scale: int) -> bytes:
    """Multiply the sides and the resolution by ``scale``.

    Args:
        exif: as in a file, with or without its prefix.
        scale: 2, 3 or 4.

    Returns:
        As many bytes; those of ``exif`` if it is damaged.
    """
    data = bytearray(exif)
    try:
        _grow(data, len(PREFIX) if exif.startswith(PREFIX) else 0, scale)
    except (struct.error, KeyError):
        return exif
    return bytes(data)


def _grow(data: bytearray, start: int, scale: int) -> None:
    order = _BYTE_ORDERS[bytes(data[start : start + 2])]
    (first,) = struct.unpack_from(f"{order}4xI", data, start)
    resolutions: set[int] = set()
    camera = _grow_directory(data, start, first, order, scale, resolutions)
    if camera not in (None, first):
        _grow_directory(data, start, camera, order, scale, resolutions)
    # Both sides may have one in common.
    for place in resolutions:
        (number,) = struct.unpack_from(f"{order}I", data, place)
        if number * scale <= _LARGEST:
            struct.pack_into(f"{order}I", data, place, number * scale)


def _grow_directory(
    data: bytearray, start: int, directory: int, order: str, scale: int, resolutions: set[int]
) -> int | None:
    """Multiply the sides in a directory, note where its resolutions are, return where the camera's is."""
    camera = None
    (count,) = struct.unpack_from(f"{order}H", data, start + directory)
    for i in range(count):
        place = start + directory + 2 + 12 * i
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, place)
        (value,) = struct.unpack_from(f"{order}{'H' if kind == _SHORT else 'I'}", data, place + 8)
        if values != 1:
            continue
        if tag == EXIF_DIRECTORY:
            camera = value
        elif tag in _SIDES and kind in (_SHORT, _LONG) and value * scale <= _LARGEST:
            struct.pack_into(f"{order}HII", data, place + 2, _LONG, 1, value * scale)
        elif tag in _RESOLUTIONS and kind == _RATIONAL:
            resolutions.add(start + value)
    return camera

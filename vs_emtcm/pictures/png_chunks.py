"""Chunks of PNG files (W3C, third edition), among them those that say what colours mean."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

type Chunk = tuple[bytes, bytes]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Chunks that describe colours beside or instead of an ICC profile.
COLOUR_CHUNKS = frozenset({b"cICP", b"cHRM", b"gAMA", b"sRGB"})
# The code points of sRGB in full range (ITU-T H.273).
SRGB_CODE_POINTS = bytes([1, 13, 0, 1])
# The exponent and the chromaticities that files in sRGB state, in units of 1/100000.
SRGB_GAMMA = struct.pack(">I", 45455)
SRGB_CHROMATICITIES = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)

_HEADER = struct.Struct(">I4s")


def colour_chunks(path: Path) -> tuple[Chunk, ...]:
    """The name and the data of each chunk that describes colours; none of a file that is no PNG.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            return ()
        found = []
        while len(head := file.read(_HEADER.size)) == _HEADER.size:
            length, name = _HEADER.unpack(head)
            # They all stand before the pixels.
            if name == b"IDAT":
                break
            data = file.read(length)
            file.seek(4, 1)
            if name in COLOUR_CHUNKS:
                found.append((name, data))
        return tuple(found)


def is_plain_srgb(chunks: tuple[Chunk, ...]) -> bool:
    """Whether a file without these chunks would be shown alike, as it would be taken for sRGB."""
    said = dict(chunks)
    if b"cICP" in said:
        return said[b"cICP"] == SRGB_CODE_POINTS
    if b"sRGB" in said:
        return True
    gamma, chromaticities = said.get(b"gAMA", SRGB_GAMMA), said.get(b"cHRM", SRGB_CHROMATICITIES)
    return gamma == SRGB_GAMMA and chromaticities == SRGB_CHROMATICITIES


def pixels_start(stream: bytes | memoryview) -> int:
    """The offset in a PNG file of the first chunk of pixels.

    Raises:
        ValueError: there is none.
    """
    start = len(SIGNATURE)
    while start + _HEADER.size <= len(stream):
        length, name = _HEADER.unpack_from(stream, start)
        if name == b"IDAT":
            return start
        start += _HEADER.size + length + 4
    raise ValueError("the PNG stream holds no pixels")


def packed(name: bytes, data: bytes) -> bytes:
    """A chunk with its length and checksum (5.3)."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

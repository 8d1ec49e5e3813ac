"""Reads colour of 16 bits by PyAV, where Pillow gives 8 of them: PNG and TIFF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin
from PIL.ImageFile import ImageFile

from vs_emtcm.formats import Plane

type DeepPixels = NDArray[np.uint16]

# FFmpeg's decoder of each kind.
_CODECS: Mapping[str, str] = {"PNG": "png", "TIFF": "tiff"}
_GREY_ALPHA_CHANNELS = 2
# Values of TIFF's tags.
_UNCOMPRESSED = 1
_SEPARATE_PLANES = 2


def is_deep_colour(image: ImageFile) -> bool:
    """Whether Pillow has opened a file of 16 bits as 8, as it does unless the picture is plain grey."""
    told = max(getattr(image, "tag_v2", {}).get(TiffImagePlugin.BITSPERSAMPLE, (8,))) == 16
    return image.mode in ("RGB", "RGBA") and (told or any(";16" in str(tile.args) for tile in image.tile))


def is_misread(image: ImageFile) -> bool:
    """Whether Pillow makes noise of such a file: uncompressed planes of 16 bits."""
    tags = getattr(image, "tag_v2", {})
    separate = tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == _SEPARATE_PLANES
    return separate and tags.get(TiffImagePlugin.COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED


def read_deep(path: Path, kind: str, shallow: Plane, orientation: int) -> DeepPixels | None:
    """Read all 16 bits of a picture.

    Args:
        path: the file.
        kind: Pillow's name of its format.
        shallow: (H, W, channels) uint8, the upper bits as Pillow reads them.
        orientation: Exif's number, 1 to 8, by which Pillow has turned ``shallow``.

    Returns:
        (H, W, channels), 2 (grey and opacity), 3 or 4 of them; None if PyAV cannot read the file, or if the
        upper bits are not ``shallow``.
    """
    try:
        pixels = _decode(path.read_bytes(), _CODECS[kind])
    except (KeyError, ValueError, av.FFmpegError):
        return None
    pixels = _turn(pixels, orientation)
    colours = pixels[..., [0, 0, 0]] if pixels.shape[2] == _GREY_ALPHA_CHANNELS else pixels[..., :3]
    # Opacity is left out: for a transparent colour, Pillow compares its upper bits with the whole number.
    return pixels if np.array_equal(colours >> 8, shallow[..., :3]) else None


def _decode(data: bytes, codec: str) -> DeepPixels:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    (frame,) = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    if frame.format.name in ("ya16be", "ya16le"):
        plane = frame.planes[0]
        rows = np.frombuffer(plane, ">u2" if frame.format.is_big_endian else "<u2")
        rows = rows.reshape(frame.height, plane.line_size // 2)[:, : 2 * frame.width]
        return rows.reshape(frame.height, frame.width, 2).astype(np.uint16)
    if not frame.format.name.startswith(("rgb48", "rgba64")):
        raise ValueError(frame.format.name)
    return np.asarray(frame.to_ndarray(), np.uint16)


def _turn(pixels: DeepPixels, orientation: int) -> DeepPixels:
    """Mirror and turn pixels as Exif's orientation says (JEITA CP-3451, 4.6.4)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    across = -1 if orientation in (2, 3, 6, 7) else 1
    down = -1 if orientation in (3, 4, 7, 8) else 1
    return pixels[::down, ::across]

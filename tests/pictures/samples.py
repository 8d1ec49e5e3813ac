"""Pictures that the tests of picture files share, and independent ways to read and write them."""

import io
import struct
import zlib

import av
import numpy as np
from PIL import Image, ImageCms

from tests.material import codes
from vs_emtcm import Upscaler

UPSCALER = Upscaler(2, tune="clean", stages=1)
RGB = np.stack([codes(18, 22, seed=i) for i in range(3)], axis=2)
RGBA = np.dstack([RGB, codes(18, 22, seed=3)])
GREY = codes(18, 22)
MODES = {2: "LA;16", 3: "RGB;16", 4: "RGBA;16"}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def pixels_of(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def jpeg(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def by_pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def striped():
    """Red and blue stripes that are darker and lighter, as letters are."""
    bars = (np.arange(64) // 3 % 2)[None, :, None] * np.ones((48, 1, 1))
    return np.where(bars == 1, (200, 30, 30), (250, 250, 250)).astype(np.uint8)


def deep(channels, height=18, width=22):
    pixels = np.dstack([codes(height, width, bits=16, seed=i) for i in range(channels)])
    if channels != 3:
        pixels[..., -1] |= 1
    return pixels


def chunk(name, data):
    """A chunk of a PNG file, as its specification has it."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def save_png(path, pixels, colour_type):
    """PNG as its specification has it, each row unfiltered."""

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


def decoded(path):
    """What FFmpeg finds in a file."""
    with av.open(path) as container:
        (frame,) = container.decode(video=0)
    if frame.format.name.startswith("ya16"):
        plane = frame.planes[0]
        order = ">u2" if frame.format.is_big_endian else "<u2"
        rows = np.frombuffer(plane, order).reshape(frame.height, -1)
        return rows[:, : 2 * frame.width].reshape(frame.height, frame.width, 2)
    return frame.to_ndarray()

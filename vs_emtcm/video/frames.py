"""FFmpeg's frames as planes: which pixel formats are native, and where their samples lie."""

from __future__ import annotations

import re
from collections.abc import Sequence

import av
import numpy as np
from av.video.format import VideoFormat
from av.video.format import names as pix_fmts

from vs_emtcm.formats import CHROMA_LOCATIONS, Color, PixelFormat, Plane
from vs_emtcm.video.ffmpeg import AVCOL_RANGE_FULL, AVCOL_RANGE_UNSPECIFIED

SUBSAMPLING = {
    "444": (0, 0),
    "422": (1, 0),
    "420": (1, 1),
    "440": (0, 1),
    "411": (2, 0),
    "410": (2, 2),
}
_YUV = re.compile(r"yuv(j|a)?(444|422|420|440|411|410)p(9|10|12|14|16)?(?:le)?")
_RGB = re.compile(r"gbr(a)?p(9|10|12|14|16|f16|f32)?(?:le)?")
_GRAY = re.compile(r"gray(9|10|12|14|16|f16|f32)?(?:le)?")
_DEPTH = re.compile(r"(?<=[py])(9|10|12|14|16)?(le)?$")


def native_format(name: str) -> PixelFormat | None:
    """The planes of an FFmpeg pixel format, or None if it is not planar little-endian YUV, RGB or grey."""
    if match := _YUV.fullmatch(name):
        kind, subsampling, bits = match.groups()
        return PixelFormat(
            family="yuv",
            bits=int(bits or 8),
            subsampling=SUBSAMPLING[subsampling],
            alpha=kind == "a",
        )
    if match := _RGB.fullmatch(name):
        alpha, depth = match.groups()
        return PixelFormat(
            family="rgb",
            bits=int((depth or "8").removeprefix("f")),
            sample_type="float" if (depth or "").startswith("f") else "integer",
            alpha=alpha is not None,
        )
    if match := _GRAY.fullmatch(name):
        depth = match.group(1) or "8"
        return PixelFormat(
            family="gray",
            bits=int(depth.removeprefix("f")),
            sample_type="float" if depth.startswith("f") else "integer",
        )
    return None


def nearest_native(name: str) -> str:
    """The native pixel format that holds everything that ``name`` holds, such as nv12's yuv420p."""
    if native_format(name) is not None:
        return name
    format = VideoFormat(name)
    components = format.components
    depth = 8 if format.has_palette else max(c.bits for c in components)
    alpha = "a" if any(c.is_alpha for c in components) or format.has_palette else ""
    suffix = "" if depth <= 8 else "10le" if depth <= 10 else "12le" if depth <= 12 else "16le"
    if format.is_rgb or format.has_palette:
        return f"gbr{alpha}p{suffix}"
    if len(components) - bool(alpha) == 1:
        # There is no planar grey with alpha.
        return f"yuva444p{suffix}" if alpha else f"gray{suffix}"
    for digits, (horizontal, vertical) in SUBSAMPLING.items():
        if format.chroma_width(64) == 64 >> horizontal and format.chroma_height(64) == 64 >> vertical:
            return f"yuv{alpha}{digits}p{suffix}"
    return f"yuv{alpha}444p{suffix}"


def deeper_native(name: str, bits: int) -> str:
    """A native pixel format with so many bits, where FFmpeg has it and it has fewer; else the same.

    Args:
        name: a native format of integers.
        bits: 8 to 16.
    """
    format = native_format(name)
    assert format is not None
    if format.sample_type == "float" or format.bits >= bits:
        return name
    deeper = f"{_DEPTH.sub('', name.replace('yuvj', 'yuv'))}{bits}le"
    return deeper if deeper in pix_fmts else name


def frame_color(frame: av.VideoFrame, format: PixelFormat) -> Color:
    """What a frame's colour tags say of its samples."""
    full = frame.color_range == AVCOL_RANGE_FULL or frame.format.name.startswith("yuvj")
    if format.family == "rgb" and frame.color_range == AVCOL_RANGE_UNSPECIFIED:
        full = True
    # AVChromaLocation counts from 1; 0 is unspecified, which is left for every common codec.
    location = max(0, frame.chroma_location - 1)
    return Color(
        range="full" if full else "limited",
        chroma_location=CHROMA_LOCATIONS[location],
    )


def frame_planes(frame: av.VideoFrame, format: PixelFormat) -> Sequence[Plane]:
    """Writable views of a native frame's planes, in the order of :class:`PixelFormat`."""
    views: list[Plane] = []
    for index, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, format.dtype)
        pitch = plane.line_size // format.dtype.itemsize
        shape = format.plane_shape(index, frame.width, frame.height)
        views.append(rows[: pitch * shape[0]].reshape(shape[0], pitch)[:, : shape[1]])
    if format.family == "rgb":
        green, blue, red, *alpha = views
        return [red, green, blue, *alpha]
    return views

"""FFmpeg's pixel formats and frames, as the upscaler sees them: :class:`PixelFormat` and numpy planes.

A pixel format is called native if the upscaler works on its planes as they are. Those are planar,
little-endian YUV, RGB and grey.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import av
import numpy as np
from av.video.format import VideoFormat
from av.video.format import names as pix_fmts

from vs_emtcm.errors import UsageError
from vs_emtcm.formats import CHROMA_LOCATIONS, ChromaLocation, Color, PixelFormat, Plane
from vs_emtcm.video.ffmpeg import AVCOL_RANGE_FULL, AVCOL_RANGE_UNSPECIFIED

# The digits in a format's name, and the base-2 logarithm of the chroma subsampling, (horizontal, vertical).
SUBSAMPLING = {
    "444": (0, 0),
    "422": (1, 0),
    "420": (1, 1),
    "440": (0, 1),
    "411": (2, 0),
    "410": (2, 2),
}
# Bits per integer sample for which FFmpeg has native formats of every kind.
NATIVE_BITS = (8, 10, 12, 16)
# Names of native formats.
_YUV = re.compile(r"yuv(j|a)?(444|422|420|440|411|410)p(9|10|12|14|16)?(?:le)?")
_RGB = re.compile(r"gbr(a)?p(9|10|12|14|16|f16|f32)?(?:le)?")
_GRAY = re.compile(r"gray(9|10|12|14|16|f16|f32)?(?:le)?")
# The end of a native integer format's name: its bits, unless there are 8, and its byte order.
_DEPTH = re.compile(r"(?<=[py])(9|10|12|14|16)?(le)?$")
# The end of the name of any format of floats.
_FLOAT = re.compile(r"f(16|32)(?:le|be)$")


def native_format(name: str) -> PixelFormat | None:
    """Return the planes of an FFmpeg pixel format, or None if it is not native."""
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
    """Return the native pixel format that holds everything that ``name`` holds, such as yuv420p for nv12.

    Raises:
        UsageError: there is none, as the format has integers of more than 16 bits.
    """
    if native_format(name) is not None:
        return name
    format = VideoFormat(name)
    components = format.components
    has_alpha = any(c.is_alpha for c in components) or format.has_palette
    alpha = "a" if has_alpha else ""
    is_gray = not format.is_rgb and not format.has_palette and len(components) - has_alpha == 1
    if is_float(name):
        depth = f"f{components[0].bits}le"
        # There is neither planar grey nor YUV of floats with alpha.
        return f"gray{depth}" if is_gray and not alpha else f"gbr{alpha}p{depth}"
    if sample_bits(format) > NATIVE_BITS[-1]:
        raise UsageError(
            f"video in the pixel format {name} cannot be upscaled, as its samples are integers of "
            f"{sample_bits(format)} bits; convert it to a format of up to 16 bits or of floats first"
        )
    bits = computed_bits(name)
    depth = "" if bits == 8 else f"{bits}le"
    if format.is_rgb or format.has_palette:
        return f"gbr{alpha}p{depth}"
    if is_gray:
        # There is no planar grey with alpha.
        return f"yuva444p{depth}" if alpha else f"gray{depth}"
    for digits, (horizontal, vertical) in SUBSAMPLING.items():
        if format.chroma_width(64) == 64 >> horizontal and format.chroma_height(64) == 64 >> vertical:
            return f"yuv{alpha}{digits}p{depth}"
    return f"yuv{alpha}444p{depth}"


def is_float(name: str) -> bool:
    """Return whether the samples of a pixel format are floats, of 16 or of 32 bits."""
    return _FLOAT.search(name) is not None


def computed_bits(name: str) -> int:
    """Return the bits per sample, 8 to 16, of frames that are computed to be converted to ``name``."""
    format = native_format(name)
    if format is not None:
        return NATIVE_BITS[-1] if format.sample_type == "float" else format.bits
    bits = sample_bits(VideoFormat(name))
    return next((native for native in NATIVE_BITS if native >= bits), NATIVE_BITS[-1])


def sample_bits(format: VideoFormat) -> int:
    """Return the bits of the largest sample that a pixel format has."""
    if format.has_palette:
        return 8
    # FFmpeg gives the share of each colour in a Bayer format, where each pixel is one sample.
    return format.bits_per_pixel if format.is_bayer else max(c.bits for c in format.components)


def deeper_native(name: str, bits: int) -> str:
    """Return ``name`` with more bits, or ``name`` itself if FFmpeg has no such format or it has enough.

    Args:
        name: a native pixel format; one of floats is returned as it is.
        bits: 8 to 16.
    """
    format = native_format(name)
    assert format is not None
    if format.sample_type == "float" or format.bits >= bits:
        return name
    deeper = f"{_DEPTH.sub('', name.replace('yuvj', 'yuv'))}{bits}le"
    return deeper if deeper in pix_fmts else name


def av_color(frame: av.VideoFrame, format: PixelFormat) -> Color:
    """Return what the tags of a frame say of its samples.

    Args:
        frame: any frame.
        format: the planes that the frame has, or gets; untagged RGB is full range, other families limited.
    """
    full = frame.color_range == AVCOL_RANGE_FULL or frame.format.name.startswith("yuvj")
    if format.family == "rgb" and frame.color_range == AVCOL_RANGE_UNSPECIFIED:
        full = True
    return Color(
        range="full" if full else "limited",
        chroma_location=chroma_location_of(frame.chroma_location),
    )


def chroma_location_of(number: int) -> ChromaLocation:
    """Return the name of an AVChromaLocation; an unspecified one is left, as in every common codec."""
    # The numbers are those of H.273 plus one, and 0 is unspecified.
    return CHROMA_LOCATIONS[max(0, number - 1)]


def av_planes(frame: av.VideoFrame, format: PixelFormat) -> Sequence[Plane]:
    """Return writable views, (height, width) each, of the planes of a native frame.

    Args:
        frame: a frame in a native pixel format.
        format: what :func:`native_format` says of it.

    Returns:
        The planes in the order of :class:`PixelFormat`: RGB and not FFmpeg's GBR.
    """
    views: list[Plane] = []
    for index, plane in enumerate(frame.planes):
        samples = np.frombuffer(plane, format.dtype)
        pitch = plane.line_size // format.dtype.itemsize
        height, width = format.plane_shape(index, frame.width, frame.height)
        views.append(samples[: pitch * height].reshape(height, pitch)[:, :width])
    if format.family == "rgb":
        green, blue, red, *alpha = views
        return [red, green, blue, *alpha]
    return views

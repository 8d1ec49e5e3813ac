"""Between planar pixel formats and the layouts of decoders and encoders that hold the same samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import av
import numpy as np
from numpy.typing import NDArray


def repack(frame: av.VideoFrame, pix_fmt: str) -> av.VideoFrame:
    """Return the same samples in another pixel format, such as yuv420p as nv12.

    RGB with less than 8 bits a component becomes RGB of 8 bits that has the same colours, black and white
    included, and RGB of 8 bits becomes the nearest of 5 and 6 bits.

    Args:
        frame: any frame.
        pix_fmt: FFmpeg pixel format of the same family, subsampling and range.

    Returns:
        A frame with the colour tags and the time of ``frame``, or ``frame`` itself if it has the format.

    Raises:
        av.error.FFmpegError: FFmpeg lacks the conversion.
    """
    if frame.format.name == pix_fmt:
        return frame
    source, target = _short_bits(frame.format), _short_bits(av.VideoFormat(pix_fmt))
    if source:
        # FFmpeg keeps the high bits exactly, and fills the low ones in several ways.
        high_bits = _reformatted(frame, "rgb24", "POINT")
        result = _reformatted(_mapped(high_bits, map(_levels, source)), pix_fmt)
    elif target and min(target) >= 5:
        # Rounded before, samples lose nothing but zeros. Without interpolation FFmpeg takes a direct way; the
        # other one halves chroma.
        rounded = _mapped(_reformatted(frame, "rgb24"), map(_nearest_high_bits, target))
        result = _reformatted(rounded, pix_fmt, "POINT")
    else:
        result = _reformatted(frame, pix_fmt)
    # PyAV tags the result with what it was asked for.
    result.colorspace, result.color_range = frame.colorspace, frame.color_range
    result.pts, result.duration = frame.pts, frame.duration
    if frame.time_base is not None:
        result.time_base = frame.time_base
    return result


def _reformatted(frame: av.VideoFrame, pix_fmt: str, interpolation: str = "BILINEAR") -> av.VideoFrame:
    return frame.reformat(
        format=pix_fmt,
        # No matrix is used within a family, but FFmpeg refuses a frame whose tag it does not know.
        src_colorspace="ITU709",
        dst_colorspace="ITU709",
        interpolation=interpolation,
        # FFmpeg writes beyond the end of lines: of several threads, one spoils what another has written.
        threads=1,
    )


def _short_bits(format: av.VideoFormat) -> Sequence[int]:
    """The bits of red, green and blue if they are less than 8, or nothing."""
    bits = [component.bits for component in format.components]
    short = format.is_rgb and not format.has_palette and len(bits) == 3 and max(bits) < 8
    return bits if short and not format.name.startswith("bayer") else ()


def _levels(bits: int) -> NDArray[np.uint8]:
    """A table from samples of 8 bits, of which only the high ones count, to levels from 0 to 255."""
    codes = np.arange(256) >> (8 - bits)
    return np.round(codes * (255 / ((1 << bits) - 1))).astype(np.uint8)


def _nearest_high_bits(bits: int) -> NDArray[np.uint8]:
    """A table from samples of 8 bits to the high bits of the nearest level."""
    codes = np.round(np.arange(256) * (((1 << bits) - 1) / 255))
    return (codes * (1 << (8 - bits))).astype(np.uint8)


def _mapped(frame: av.VideoFrame, tables: Iterable[NDArray[np.uint8]]) -> av.VideoFrame:
    """Look up the samples of an rgb24 frame in a table each for red, green and blue."""
    result = av.VideoFrame(frame.width, frame.height, "rgb24")
    before, after = _pixels(frame), _pixels(result)
    for component, table in enumerate(tables):
        after[..., component] = table[before[..., component]]
    return result


def _pixels(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """A writable view of an rgb24 frame, (height, width, 3)."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8)[: frame.height * plane.line_size].reshape(frame.height, -1)
    return rows[:, : 3 * frame.width].reshape(frame.height, frame.width, 3)

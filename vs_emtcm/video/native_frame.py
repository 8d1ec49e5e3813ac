"""Decoded frames in a native pixel format, without loss."""

from __future__ import annotations

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from vs_emtcm.errors import UsageError
from vs_emtcm.video.frames import av_planes, is_float, native_format, nearest_native
from vs_emtcm.video.packing import repack

# Width and height of a frame that is converted to see whether FFmpeg can; all chroma subsampling divides it.
TRIAL_SIZE = 16


def native_frame(frame: av.VideoFrame) -> av.VideoFrame:
    """Return the samples of a frame in :func:`nearest_native`'s format; tags and times may be missing.

    Raises:
        UsageError: no native format holds them.
    """
    name = nearest_native(frame.format.name)
    if name == frame.format.name:
        return frame
    # FFmpeg converts most floats by way of 16-bit integers, which clips them to 0..1.
    return _copy_floats(frame, name) if is_float(name) else repack(frame, name)


def check_convertible(pix_fmt: str) -> None:
    """Refuse a pixel format whose frames :func:`native_frame` does not convert.

    Raises:
        UsageError: no native format holds its samples, or FFmpeg's conversion does not read it.
    """
    try:
        native_frame(av.VideoFrame(TRIAL_SIZE, TRIAL_SIZE, pix_fmt))
    except FFmpegError as error:
        raise UsageError(
            f"video in the pixel format {pix_fmt} cannot be upscaled, as FFmpeg does not convert it to "
            "others; convert it with another program first"
        ) from error


def _copy_floats(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    """Return a frame of floats in the native format ``name``, of as many bits, every sample as it was."""
    format = native_format(name)
    assert format is not None
    components = _float_components(frame)
    if format.family == "rgb" and len(components) <= 2:
        gray, *alpha = components
        components = [gray, gray, gray, *alpha]
    native = av.VideoFrame(frame.width, frame.height, name)
    for plane, component in zip(av_planes(native, format), components, strict=True):
        plane[...] = component
    return native


def _float_components(frame: av.VideoFrame) -> list[NDArray[np.floating]]:
    """Return a view, (height, width), of each component of a frame of floats: R, G, B or Y, and alpha."""
    components = frame.format.components
    order = ">" if frame.format.is_big_endian else "<"
    dtype = np.dtype(f"{order}f{components[0].bits // 8}")
    # A packed format has all components of a pixel side by side, in their order.
    step = 1 if frame.format.is_planar else len(components)
    views = []
    for component in components:
        plane = frame.planes[component.plane]
        rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)
        first = 0 if step == 1 else component.index
        views.append(rows[: frame.height, first : frame.width * step : step])
    return views

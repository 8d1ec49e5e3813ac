"""From a decoded frame to the same frame, larger."""

from __future__ import annotations

import time

import av

from vs_emtcm.upscaler import Upscaler
from vs_emtcm.video.ffmpeg import AVCOL_RANGE_FULL, AVCOL_SPC_RGB, AVCOL_UNSPECIFIED
from vs_emtcm.video.frames import (
    deeper_native,
    frame_color,
    frame_planes,
    native_format,
    nearest_native,
)
from vs_emtcm.video.packing import repack
from vs_emtcm.video.untagged import tags_that_keep_colours


class FrameUpscaler:
    """Upscales decoded frames, in one thread at a time.

    Args:
        upscaler: what upscales them.
        bits: of the samples of the result, if the frames have fewer.

    Attributes:
        seconds: time spent so far.
    """

    def __init__(self, upscaler: Upscaler, bits: int = 8) -> None:
        self.upscaler = upscaler
        self.bits = bits
        self.seconds = 0.0

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame, larger, with its timestamps and colour tags, in the nearest native format."""
        began = time.perf_counter()
        name = nearest_native(frame.format.name)
        format = native_format(name)
        assert format is not None
        source = repack(frame, name)
        color = frame_color(frame, format)
        scale = self.upscaler.scale
        name = deeper_native(name, self.bits)
        deeper = native_format(name)
        assert deeper is not None
        target = av.VideoFrame(frame.width * scale, frame.height * scale, name)
        planes = frame_planes(source, format), frame_planes(target, deeper)
        self.upscaler.upscale_into(*planes, format, color, bits=deeper.bits)
        target.pts, target.time_base, target.duration = frame.pts, frame.time_base, frame.duration
        target.colorspace, target.color_primaries = self._colours(frame, target)
        target.color_trc, target.chroma_location = frame.color_trc, frame.chroma_location
        full = frame.format.name.startswith("yuvj")
        target.color_range = AVCOL_RANGE_FULL if full else frame.color_range
        self.seconds += time.perf_counter() - began
        return target

    def _colours(self, frame: av.VideoFrame, target: av.VideoFrame) -> tuple[int, int]:
        """Matrix and primaries of the result."""
        tags = frame.colorspace, frame.color_primaries
        if frame.colorspace == AVCOL_SPC_RGB and not target.format.is_rgb:
            # Such as grey PNG, whose decoder says RGB of it.
            tags = AVCOL_UNSPECIFIED, frame.color_primaries
        if frame.format.is_rgb or len(frame.format.components) == 1:
            return tags
        return tags_that_keep_colours(tags, (frame.width, frame.height), (target.width, target.height))

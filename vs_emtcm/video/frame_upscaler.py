"""The step from a decoded frame to an upscaled one."""

from __future__ import annotations

import time

import av

from vs_emtcm.upscaler import Upscaler
from vs_emtcm.video.ffmpeg import AVCOL_RANGE_FULL, AVCOL_SPC_RGB, AVCOL_UNSPECIFIED
from vs_emtcm.video.frames import av_color, av_planes, deeper_native, native_format
from vs_emtcm.video.native_frame import native_frame
from vs_emtcm.video.untagged import tags_that_keep_colours


class FrameUpscaler:
    """Upscales decoded frames; to be used by one thread at a time.

    Args:
        upscaler: runs the network.
        bits: bits per sample of the results, 8 to 16; frames of more bits, or of floats, keep theirs.

    Attributes:
        seconds: time spent so far.
    """

    def __init__(self, upscaler: Upscaler, bits: int = 8) -> None:
        self.upscaler = upscaler
        self.bits = bits
        self.seconds = 0.0

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the frame upscaled, in a native pixel format, with its time and colour tags.

        Raises:
            UsageError: no native format holds the samples of the frame.
        """
        began = time.perf_counter()
        source = native_frame(frame)
        source_format = native_format(source.format.name)
        assert source_format is not None
        color = av_color(frame, source_format)
        scale = self.upscaler.scale
        name = deeper_native(source.format.name, self.bits)
        format = native_format(name)
        assert format is not None
        target = av.VideoFrame(frame.width * scale, frame.height * scale, name)
        self.upscaler.upscale_into(
            av_planes(source, source_format),
            av_planes(target, format),
            source_format,
            color,
            bits=format.bits,
        )
        target.pts, target.time_base, target.duration = frame.pts, frame.time_base, frame.duration
        target.colorspace, target.color_primaries = self._matrix_and_primaries(frame, target)
        target.color_trc, target.chroma_location = frame.color_trc, frame.chroma_location
        full = frame.format.name.startswith("yuvj")
        target.color_range = AVCOL_RANGE_FULL if full else frame.color_range
        self.seconds += time.perf_counter() - began
        return target

    def _matrix_and_primaries(self, frame: av.VideoFrame, target: av.VideoFrame) -> tuple[int, int]:
        tags = frame.colorspace, frame.color_primaries
        if target.format.is_rgb:
            return tags
        if frame.colorspace == AVCOL_SPC_RGB:
            # A decoder may tag grey as RGB, as that of PNG does.
            tags = AVCOL_UNSPECIFIED, frame.color_primaries
        if len(frame.format.components) == 1:
            return tags
        return tags_that_keep_colours(tags, (frame.width, frame.height), (target.width, target.height))

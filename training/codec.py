"""Frames after a round trip through a real video encoder."""

from __future__ import annotations

import io

import av
import numpy as np
from numpy.typing import NDArray

from training.pairs import Plane

type Yuv = tuple[Plane, Plane, Plane]
# Encoders whose quality is a constant rate factor (CRF). The others take a fixed quantiser.
CRF_ENCODERS = ("libx264", "libx265")


def encode_and_decode(frames: list[Plane], encoder: str, quality: int) -> list[Plane]:
    """Encode luma frames as a clip with neutral chroma, decode it, and return its luma.

    Args:
        frames: (H, W) uint8 each, H and W even.
        encoder, quality: see :func:`encode_and_decode_yuv`.
    """
    neutral = np.full([n // 2 for n in frames[0].shape], 128, np.uint8)
    coded = encode_and_decode_yuv([(luma, neutral, neutral) for luma in frames], encoder, quality)
    return [luma for luma, _, _ in coded]


def encode_and_decode_yuv(frames: list[Yuv], encoder: str, quality: int) -> list[Yuv]:
    """Encode 4:2:0 frames as a clip and decode it. The result is the same on every run.

    Args:
        frames: Y (H, W), U and V (H / 2, W / 2) uint8 each, H and W even.
        encoder: FFmpeg's name of an encoder.
        quality: its CRF if it is one of ``CRF_ENCODERS``, its quantiser otherwise.
    """
    height, width = frames[0][0].shape
    buffer = io.BytesIO()
    if encoder in CRF_ENCODERS:
        options = {"crf": str(quality)}
    else:
        options = {"qmin": str(quality), "qmax": str(quality)}
    if encoder == "libx264":
        # With assembly, its macroblock tree gives other bits from run to run.
        options["x264-params"] = "asm=0"
    if encoder == "libx265":
        options["x265-params"] = "log-level=error:pools=1"
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream(encoder, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        for planes in frames:
            packed = np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, width)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(packed, "yuv420p")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as decoded:
        decoded.streams.video[0].codec_context.thread_count = 1
        return [
            _planes(frame.to_ndarray().astype(np.uint8), height, width) for frame in decoded.decode(video=0)
        ]


def _planes(packed: NDArray[np.uint8], height: int, width: int) -> Yuv:
    """Split PyAV's (3 * H / 2, W) array of a yuv420p frame into its planes."""
    luma, u, v = np.split(packed.reshape(-1), [height * width, height * width * 5 // 4])
    chroma = height // 2, width // 2
    return luma.reshape(height, width), u.reshape(chroma), v.reshape(chroma)

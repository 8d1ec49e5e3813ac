"""What a file is said to say, it says: files are written by PyAV alone and read again."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vs_emtcm.chroma import chroma_shift
from vs_emtcm.formats import CHROMA_LOCATIONS
from vs_emtcm.video.ffmpeg import AVCOL_BT470BG, AVCOL_RANGE_FULL
from vs_emtcm.video.frames import native_format
from vs_emtcm.video.signalling import (
    fixed_chroma_location,
    says_matrix,
    says_range,
    says_ratio,
    says_rotation,
)

# An encoder of each codec, and what it takes.
ENCODERS = {
    "h264": ("libx264", "yuv420p"),
    "hevc": ("libx265", "yuv420p"),
    "vp9": ("libvpx-vp9", "yuv420p"),
    "vp8": ("libvpx", "yuv420p"),
    "av1": ("libsvtav1", "yuv420p"),
    "mpeg4": ("mpeg4", "yuv420p"),
    "mpeg1video": ("mpeg1video", "yuv420p"),
    "mpeg2video": ("mpeg2video", "yuv420p"),
    "mjpeg": ("mjpeg", "yuv420p"),
    "prores": ("prores_ks", "yuv422p10le"),
    "ffv1": ("ffv1", "yuv420p"),
}
# What each container holds.
MPEG = ("h264", "mpeg4", "mpeg1video", "mpeg2video")
CONTAINERS = {
    "matroska": tuple(ENCODERS),
    "webm": ("vp9", "vp8", "av1"),
    "mp4": (*MPEG, "hevc", "vp9", "av1", "mjpeg", "ffv1"),
    "mov": (*MPEG, "hevc", "mjpeg", "prores"),
    "avi": (*MPEG, "vp9", "vp8", "av1", "mjpeg", "ffv1"),
    "mpegts": (*MPEG, "hevc"),
}
# MPEG-2 knows three shapes of whole pictures alone, which of a square one is this; MPEG-1 some near it.
RATIO = Fraction(4, 3)
QUARTER_TURN = [0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30]


def write(path: Path, codec: str, container: str) -> None:
    """Some frames with all that could be said of them."""
    encoder, pix_fmt = ENCODERS[codec]
    options = {"strict": "unofficial"} if codec == "mjpeg" else {}
    noise = np.random.default_rng(0)
    options |= {"x265-params": "log-level=error"} if codec == "hevc" else {}
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(encoder, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 64, pix_fmt
        context = stream.codec_context
        context.sample_aspect_ratio = RATIO
        context.color_range, context.colorspace = AVCOL_RANGE_FULL, AVCOL_BT470BG
        if says_rotation(container):
            stream.set_display_matrix(QUARTER_TURN)
        output.start_encoding()
        for number in range(12):
            frame = av.VideoFrame(64, 64, pix_fmt)
            for plane in frame.planes:
                view = np.frombuffer(plane, np.uint8)
                view[...] = noise.integers(0, 4, view.shape)
            frame.color_range, frame.colorspace = AVCOL_RANGE_FULL, AVCOL_BT470BG
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("container", "codec"), [(container, codec) for container, held in CONTAINERS.items() for codec in held]
)
def test_what_a_file_says_is_read_again(tmp_path, container, codec):
    path = tmp_path / "out"
    write(path, codec, container)
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        frame = next(source.decode(video=0))
        if says_range(codec, container):
            assert frame.color_range == AVCOL_RANGE_FULL
        if says_matrix(codec, container):
            assert frame.colorspace == AVCOL_BT470BG
        if says_ratio(codec, container):
            assert float(stream.sample_aspect_ratio) == pytest.approx(float(RATIO), rel=0.02)
        if says_rotation(container):
            # FFmpeg's angles turn the other way.
            assert abs(frame.rotation) == 90


@pytest.mark.parametrize("said", [1, 2])
@pytest.mark.parametrize(
    ("codec", "encoder", "pix_fmt", "suffix", "fixed"),
    [
        ("h264", "libx264", "yuv420p", "mov", None),
        ("h264", "libx264", "yuv422p", "mov", 1),
        ("hevc", "libx265", "yuv420p", "mkv", None),
        ("hevc", "libx265", "yuv422p", "mkv", 1),
        ("prores", "prores_ks", "yuv422p10le", "mov", 1),
        ("dnxhd", "dnxhd", "yuv422p", "mov", 1),
        ("mpeg2video", "mpeg2video", "yuv420p", "mkv", 1),
        ("mpeg2video", "mpeg2video", "yuv422p", "mkv", 1),
        ("mpeg4", "mpeg4", "yuv420p", "mkv", 1),
        ("mpeg1video", "mpeg1video", "yuv420p", "mkv", 2),
        ("mjpeg", "mjpeg", "yuv420p", "mkv", 2),
        ("mjpeg", "mjpeg", "yuv422p", "mov", 2),
        ("ffv1", "ffv1", "yuv422p", "mkv", None),
    ],
)
def test_decoders_place_chroma_where_it_is_said_or_fixed(
    tmp_path, codec, encoder, pix_fmt, suffix, fixed, said
):
    subsampling = native_format(pix_fmt).subsampling
    assert fixed_chroma_location(codec, subsampling) == fixed
    options = {"mjpeg": {"strict": "unofficial"}, "dnxhd": {"profile": "dnxhr_hq"}}.get(encoder, {})
    path = tmp_path / f"out.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 256, 128, pix_fmt
        stream.codec_context.chroma_sample_location = said
        frame = av.VideoFrame(256, 128, pix_fmt)
        frame.chroma_location, frame.color_range, frame.pts = said, 1, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        read = next(container.decode(video=0)).chroma_location
    # What is not specified lies left.
    shifts = [chroma_shift(subsampling, CHROMA_LOCATIONS[max(0, each - 1)]) for each in (read, fixed or said)]
    assert shifts[0] == shifts[1]

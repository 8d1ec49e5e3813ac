"""What a file is said to say, it says: files are written by PyAV alone and read again."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vs_emtcm.video.ffmpeg import AVCOL_BT470BG, AVCOL_RANGE_FULL
from vs_emtcm.video.signalling import says_matrix, says_range, says_ratio, says_rotation

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

"""What may come with a decoded frame and is not carried over."""

from __future__ import annotations

import av
from av.sidedata.sidedata import Type
from av.video.stream import VideoStream

LOST = {
    Type.A53_CC: "captions inside the video (CEA-608, CEA-708) are left out; extract them as subtitles first",
    Type.DYNAMIC_HDR_PLUS: "dynamic HDR metadata (HDR10+) is left out",
    Type.DYNAMIC_HDR_VIVID: "dynamic HDR metadata (HDR Vivid) is left out",
    Type.SPHERICAL: "the projection of 360-degree video is left out: players will show it flat",
    Type.DOVI_METADATA: "Dolby Vision metadata is left out: what remains is what players without it show",
}


ROTATION = "the rotation that the video itself names is left out; 'ffmpeg -i INPUT OUTPUT' turns it first"
CROPPING = "the cropping that the file asks players for is left out: they will show the whole picture"
STEREO = "how players are to take two views out of the picture (stereo 3D) is left out"


def lost_side_data(frame: av.VideoFrame, stream: VideoStream) -> list[str]:
    """What of a frame is lost, one sentence each.

    Args:
        frame: as it was decoded.
        stream: that it is of; a rotation that this names is kept.
    """
    data = frame.side_data
    lost = [sentence for kind, sentence in LOST.items() if kind in data]
    header = stream.codec_context.coded_side_data
    if Type.DISPLAYMATRIX in data and "display_matrix" not in header:
        lost.append(ROTATION)
    if "frame_cropping" in header:
        lost.append(CROPPING)
    # Matroska's tag is copied.
    if Type.STEREO3D in data and "stereo_mode" not in stream.metadata:
        lost.append(STEREO)
    return lost

"""Metadata of pictures that is not carried over to the result."""

from __future__ import annotations

from av.sidedata.sidedata import Type
from av.video.stream import VideoStream

# By kind of side data of a decoded frame: the sentence about its loss.
LOST = {
    Type.A53_CC: "captions inside the video (CEA-608, CEA-708) are left out; extract them as subtitles first",
    Type.DYNAMIC_HDR_PLUS: "dynamic HDR metadata (HDR10+) is left out",
    Type.DYNAMIC_HDR_VIVID: "dynamic HDR metadata (HDR Vivid) is left out",
    Type.SPHERICAL: "the projection of 360-degree video is left out: players will show it flat",
    Type.DISPLAYMATRIX: (
        "the rotation that the video itself names is left out; 'ffmpeg -i INPUT OUTPUT' turns it first"
    ),
    Type.STEREO3D: "how players are to take two views out of the picture (stereo 3D) is left out",
    Type.DOVI_METADATA: "Dolby Vision metadata is left out: what remains is what players without it show",
}
CROPPING = "the cropping that the file asks players for is left out: they will show the whole picture"


def lost_of_header(stream: VideoStream) -> list[str]:
    """Return what is lost of the metadata in a file's header, one sentence each."""
    return [CROPPING] if "frame_cropping" in stream.codec_context.coded_side_data else []


def lost_of_frames(stream: VideoStream) -> dict[Type, str]:
    """Return the kinds of side data that frames of a stream may have and lose, with a sentence for each."""
    lost = dict(LOST)
    # Decoders copy the rotation of the header to every frame, and that of the header is kept.
    if "display_matrix" in stream.codec_context.coded_side_data:
        del lost[Type.DISPLAYMATRIX]
    # In Matroska it is a tag of the stream, which is copied.
    if "stereo_mode" in stream.metadata:
        del lost[Type.STEREO3D]
    return lost

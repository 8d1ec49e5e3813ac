"""Information that comes with a video or its frames and is not carried over to the result."""

from __future__ import annotations

import sys

import av
from av.sidedata.sidedata import Type
from av.video.stream import VideoStream

from vs_emtcm.video.hdr import mastering_display

TIME_CODES = "time codes inside the video are left out"
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
    Type.MASTERING_DISPLAY_METADATA: (
        "the mastering display of HDR is left out: the source names only its primaries or only its luminance"
    ),
    Type.AMBIENT_VIEWING_ENVIRONMENT: "the ambient viewing environment of HDR is left out",
    Type.AFD: "which part of the picture is active (AFD) is left out",
    Type.FILM_GRAIN_PARAMS: "film grain that players are to add is left out",
    Type.GOP_TIMECODE: TIME_CODES,
    Type.S12M_TIMECODE: TIME_CODES,
    Type.ICC_PROFILE: "the ICC profile of the video is left out: players may show other colours",
}
CROPPING = "the cropping that the file asks players for is left out: they will show the whole picture"

# Active format (SMPTE ST 2016-1) of pictures that are active as a whole.
AFD_WHOLE_PICTURE = 8
# Hours, minutes and seconds of a time code of MPEG-2, with a marker bit among them (ISO/IEC 13818-2, table
# 6-11).
GOP_TIME = 0b0_11111_111111_0_111111_000000


def lost_of_header(stream: VideoStream) -> list[str]:
    """Return a sentence for each thing that the header of a file says of its pictures and that is lost."""
    return [CROPPING] if "frame_cropping" in stream.codec_context.coded_side_data else []


def lost_of_frames(stream: VideoStream) -> dict[Type, str]:
    """Return what may come with the frames of a stream and is then lost: a sentence for each kind."""
    lost = dict(LOST)
    # Decoders hand on what the file says, and that is kept.
    if "display_matrix" in stream.codec_context.coded_side_data:
        del lost[Type.DISPLAYMATRIX]
    # Matroska's tag is copied.
    if "stereo_mode" in stream.metadata:
        del lost[Type.STEREO3D]
    # The tag of a file is copied.
    if "timecode" in stream.metadata:
        del lost[Type.GOP_TIMECODE], lost[Type.S12M_TIMECODE]
    return lost


def lost_of_frame(frame: av.VideoFrame, lost: dict[Type, str]) -> list[str]:
    """Return a sentence for each kind of side data of a frame that is lost.

    Args:
        frame: a decoded frame, of a stream whose frames come in order.
        lost: from :func:`lost_of_frames`; a kind that was found is taken out.
    """
    found = []
    side_data = frame.side_data
    for kind in [kind for kind in lost if kind in side_data]:
        data = bytes(side_data[kind])
        if kind == Type.AFD and data[0] == AFD_WHOLE_PICTURE:
            # It says nothing yet.
            continue
        sentence = lost.pop(kind)
        # MPEG-2 cannot do without time codes, and those that count from zero say nothing.
        counts = kind == Type.GOP_TIMECODE and not int.from_bytes(data, sys.byteorder) & GOP_TIME
        is_kept = kind == Type.MASTERING_DISPLAY_METADATA and mastering_display(data) is not None
        if not (counts or is_kept):
            found.append(sentence)
    return found

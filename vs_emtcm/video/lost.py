"""What may come with a decoded frame and is not carried over."""

from __future__ import annotations

import av
from av.sidedata.sidedata import Type

LOST = {
    Type.A53_CC: "captions inside the video (CEA-608, CEA-708) are left out; extract them as subtitles first",
    Type.DYNAMIC_HDR_PLUS: "dynamic HDR metadata (HDR10+) is left out",
    Type.DYNAMIC_HDR_VIVID: "dynamic HDR metadata (HDR Vivid) is left out",
    Type.DOVI_METADATA: "Dolby Vision metadata is left out: what remains is what players without it show",
}


def lost_side_data(frame: av.VideoFrame) -> list[str]:
    """What of a frame is lost, one sentence each."""
    data = frame.side_data
    return [sentence for kind, sentence in LOST.items() if kind in data]

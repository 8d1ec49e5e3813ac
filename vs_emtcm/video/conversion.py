"""Conversion of upscaled frames to the pixel format that is encoded, with the colour tags that then apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import av

from vs_emtcm.video.ffmpeg import (
    AVCHROMA_LOC_CENTER,
    AVCHROMA_LOC_UNSPECIFIED,
    AVCOL_RANGE_FULL,
    AVCOL_RANGE_LIMITED,
    AVCOL_SPC_BT709,
    AVCOL_SPC_RGB,
)
from vs_emtcm.video.frames import av_planes, native_format

# Formats of grey integers.
GREY_FORMATS = frozenset({"gray", *(f"gray{bits}le" for bits in (9, 10, 12, 14, 16))})
# Options of a conversion that keeps levels: both sides have the same range, whichever it really is.
SAME_RANGE: Mapping[str, Any] = {"src_color_range": "JPEG", "dst_color_range": "JPEG"}


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The conversion of every frame of a video; see :func:`choose_conversion`.

    Attributes:
        pix_fmt: the pixel format of the results.
        options: options of FFmpeg's conversion; None leaves frames as they are.
        luma_alone: whether the luma of YUV becomes grey without a change of levels.
        by_way_of: a YUV format that grey is converted to first, as FFmpeg takes grey for full range, or None.
        colorspace, color_range, chroma_location: FFmpeg's numbers for the results.
    """

    pix_fmt: str
    options: Mapping[str, Any] | None
    luma_alone: bool = False
    by_way_of: str | None = None
    colorspace: int
    color_range: int
    chroma_location: int

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return a frame in the pixel format that is encoded, with its time."""
        if self.options is None:
            return frame
        if self.by_way_of is not None:
            full = frame.color_range == AVCOL_RANGE_FULL
            between = frame.reformat(format=self.by_way_of, **SAME_RANGE)
            converted = between.reformat(format=self.pix_fmt, src_color_range="JPEG" if full else "MPEG")
        elif self.luma_alone:
            converted = _luma_of(frame, self.pix_fmt)
        else:
            converted = frame.reformat(format=self.pix_fmt, **self.options)
        converted.colorspace, converted.color_range = self.colorspace, self.color_range
        converted.pts, converted.time_base = frame.pts, frame.time_base
        converted.duration = frame.duration
        return converted


def choose_conversion(first: av.VideoFrame, pix_fmt: str, range_is_signalled: bool) -> Conversion:
    """Return the conversion of frames like ``first``.

    Args:
        first: an upscaled frame with its colour tags.
        pix_fmt: the FFmpeg pixel format that is encoded.
        range_is_signalled: whether the file can say which range its samples have. If it cannot, players take
            them for limited range, and full range is converted to that.
    """
    name, from_rgb = first.format.name, first.format.is_rgb
    to_rgb, to_grey = av.VideoFormat(pix_fmt).is_rgb, pix_fmt.startswith("gray")
    if from_rgb != to_rgb:
        return Conversion(
            pix_fmt=pix_fmt,
            options={} if to_rgb else {"dst_colorspace": "ITU709", "dst_color_range": "MPEG"},
            by_way_of=name.replace("gray", "yuv444p") if name in GREY_FORMATS else None,
            colorspace=AVCOL_SPC_RGB if to_rgb else AVCOL_SPC_BT709,
            # FFmpeg converts to full-range grey, whichever range it is asked for.
            color_range=AVCOL_RANGE_FULL if to_rgb or to_grey else AVCOL_RANGE_LIMITED,
            chroma_location=AVCHROMA_LOC_UNSPECIFIED if to_rgb else _chroma_location(first, pix_fmt),
        )
    limited = first.color_range == AVCOL_RANGE_FULL and not (range_is_signalled or to_grey or from_rgb)
    options: Mapping[str, Any] | None = {}
    if limited:
        options = {"src_color_range": "JPEG", "dst_color_range": "MPEG"}
    elif name == pix_fmt:
        options = None
    elif name.startswith("gray"):
        # FFmpeg takes grey for full range, whatever its tag.
        options = SAME_RANGE
    return Conversion(
        pix_fmt=pix_fmt,
        options=options,
        luma_alone=pix_fmt in GREY_FORMATS and name.startswith("yuv"),
        colorspace=first.colorspace,
        color_range=AVCOL_RANGE_LIMITED if limited else first.color_range,
        chroma_location=_chroma_location(first, pix_fmt),
    )


def _chroma_location(first: av.VideoFrame, pix_fmt: str) -> int:
    """Return FFmpeg's number for where chroma samples lie after its conversion.

    Where FFmpeg halves the width of chroma, it puts the samples where the frame's tag says, and without a tag
    in the centre.
    """
    halved = av.VideoFormat(pix_fmt).chroma_width(2) < first.format.chroma_width(2)
    untagged = first.chroma_location == AVCHROMA_LOC_UNSPECIFIED
    return AVCHROMA_LOC_CENTER if halved and untagged else first.chroma_location


def _luma_of(frame: av.VideoFrame, pix_fmt: str) -> av.VideoFrame:
    """Return the luma of a YUV frame as grey, with its levels; FFmpeg would convert it to full range."""
    target = native_format(pix_fmt)
    assert target is not None
    depth = "" if target.bits == 8 else f"{target.bits}le"
    same_depth = frame.reformat(format=f"yuv444p{depth}", interpolation="POINT", **SAME_RANGE)
    source = native_format(same_depth.format.name)
    assert source is not None
    luma = av.VideoFrame(frame.width, frame.height, pix_fmt)
    av_planes(luma, target)[0][...] = av_planes(same_depth, source)[0]
    return luma

"""From an upscaled frame to the pixel format that is encoded, and the colour tags of the result.

zimg converts the planes, with explicit matrix, range and chroma location, and rounds to the nearest code
value; FFmpeg only packs them into the layout of the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import av
import numpy as np

from vs_emtcm.chroma import chroma_shift
from vs_emtcm.errors import UsageError
from vs_emtcm.formats import PixelFormat, Plane, full_scale
from vs_emtcm.video.ffmpeg import (
    AVCHROMA_LOC_LEFT,
    AVCHROMA_LOC_UNSPECIFIED,
    AVCOL_BT2020,
    AVCOL_RANGE_FULL,
    AVCOL_RANGE_LIMITED,
    AVCOL_SPC_BT709,
    AVCOL_SPC_RGB,
    AVCOL_UNSPECIFIED,
)
from vs_emtcm.video.frames import av_color, av_planes, chroma_location_of, native_format, nearest_native
from vs_emtcm.video.packing import repack
from vs_emtcm.video.untagged import assumed_matrix
from vs_emtcm.video.zimg import MATRICES, PlaneMeaning, convert


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The conversion of every frame of a video; see :func:`choose_conversion`.

    Attributes:
        pix_fmt: FFmpeg pixel format of the result.
        source, target: the meaning of the planes before and after, opacity left out.
        colorspace, color_range, chroma_location: FFmpeg's numbers for the result.
    """

    pix_fmt: str
    source: PlaneMeaning
    target: PlaneMeaning
    colorspace: int
    color_range: int
    chroma_location: int

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the frame in the pixel format, with its time; itself if nothing changes.

        Raises:
            EmtcmError: the planes cannot be converted.
            av.error.FFmpegError: FFmpeg cannot write the layout of the encoder.
        """
        name = nearest_native(self.pix_fmt)
        native = frame
        if frame.format.name != name or self.source != self.target:
            native = self._native(frame, name)
        return repack(native, self.pix_fmt)

    def _native(self, frame: av.VideoFrame, name: str) -> av.VideoFrame:
        """The converted planes as a frame of a native format, with the tags of the result."""
        source, target = native_format(frame.format.name), native_format(name)
        assert source is not None
        assert target is not None
        planes = av_planes(frame, source)
        converted = _converted(planes[: self.source.format.planes], self.source, self.target)
        result = av.VideoFrame(frame.width, frame.height, name)
        written = av_planes(result, target)
        for plane, samples in zip(written[: self.target.format.planes], converted, strict=True):
            plane[...] = samples
        if target.alpha:
            written[-1][...] = _opacity(planes[-1], source, target) if source.alpha else full_scale(target)
        result.colorspace, result.color_range = self.colorspace, self.color_range
        result.color_primaries, result.color_trc = frame.color_primaries, frame.color_trc
        result.chroma_location = self.chroma_location
        result.pts, result.time_base, result.duration = frame.pts, frame.time_base, frame.duration
        return result


def choose_conversion(
    first: av.VideoFrame, pix_fmt: str, range_is_signalled: bool, fixed_location: int | None = None
) -> Conversion:
    """Choose the conversion of frames like ``first``.

    What becomes RGB has full range then, YUV that is made of RGB limited range, and grey that is made of RGB
    full range. Grey and the luma of YUV become each other as they are.

    Args:
        first: a frame of a native format, with its colour tags.
        pix_fmt: FFmpeg pixel format that is encoded.
        range_is_signalled: whether the file can say which range it has; if not, full range, which would be
            taken for limited, becomes limited.
        fixed_location: FFmpeg's number for where players take chroma to lie whatever the file says, or None.

    Raises:
        UsageError: YUV would become RGB, and its matrix is not known.
    """
    before, after = native_format(first.format.name), native_format(nearest_native(pix_fmt))
    assert before is not None
    assert after is not None
    color = av_color(first, before)
    range = color.range_in(before.family)
    source = PlaneMeaning(
        format=replace(before, alpha=False), range=range, chroma_location=color.chroma_location
    )
    location = _chroma_location(first, before.subsampling, after.subsampling, fixed_location)
    target = PlaneMeaning(
        format=replace(after, alpha=False),
        range=range,
        chroma_location=chroma_location_of(location),
    )
    colorspace = first.colorspace
    if before.family != "rgb" and after.family == "rgb":
        target = replace(target, range="full")
        colorspace, location = AVCOL_SPC_RGB, AVCHROMA_LOC_UNSPECIFIED
        if before.family == "yuv":
            source = replace(source, matrix=_matrix_to_rgb(first, pix_fmt))
    elif before.family == "rgb" and after.family != "rgb":
        # Players of HDR10 expect the matrix of BT.2020 beside its primaries.
        colorspace = AVCOL_BT2020 if first.color_primaries == AVCOL_BT2020 else AVCOL_SPC_BT709
        target = replace(target, matrix=colorspace, range="full" if after.family == "gray" else "limited")
    elif after.family == "yuv" and not range_is_signalled:
        target = replace(target, range="limited")
    if pix_fmt.startswith(("ya", "yuvj")):
        # FFmpeg's grey with opacity, which is made of YUV, and YUV that is named after JPEG have full range.
        target = replace(target, range="full")
    said = first.color_range
    if (before.family == "rgb") != (after.family == "rgb") or target.range != range:
        said = AVCOL_RANGE_FULL if target.range == "full" else AVCOL_RANGE_LIMITED
    return Conversion(
        pix_fmt=pix_fmt,
        source=source,
        target=target,
        colorspace=colorspace,
        color_range=said,
        chroma_location=location,
    )


def _matrix_to_rgb(first: av.VideoFrame, pix_fmt: str) -> int:
    """The matrix of YUV that becomes RGB.

    Raises:
        UsageError: it is not known.
    """
    if first.colorspace == AVCOL_UNSPECIFIED:
        return assumed_matrix(first.width, first.height)
    if first.colorspace not in MATRICES:
        raise UsageError(
            f"the colours are tagged with matrix {first.colorspace} (ITU-T H.273), which cannot be "
            f"converted to {pix_fmt} here; choose a --pix-fmt or --codec of YUV"
        )
    return first.colorspace


def _chroma_location(
    first: av.VideoFrame, before: tuple[int, int], after: tuple[int, int], fixed: int | None
) -> int:
    """FFmpeg's number for where chroma lies after the conversion.

    It stays where the frame's own tag says, unless the codec fixes another place. Without a tag, chroma of
    half the width comes to lie left, as players expect it.
    """
    halved = before[0] == 0 and after[0] > 0
    untagged = first.chroma_location == AVCHROMA_LOC_UNSPECIFIED
    location = AVCHROMA_LOC_LEFT if halved and untagged else first.chroma_location
    if fixed is None:
        return location
    kept, moved = (chroma_shift(after, chroma_location_of(each)) for each in (location, fixed))
    return location if kept == moved else fixed


def _converted(planes: Sequence[Plane], source: PlaneMeaning, target: PlaneMeaning) -> Sequence[Plane]:
    """Convert planes without opacity; grey needs no matrix, and nor does luma to become grey."""
    if source == target:
        return planes
    families = source.format.family, target.format.family
    if families[0] != "gray" and families != ("yuv", "gray"):
        return convert(planes, source, target)
    luma = _one_plane(planes[0], _luma(source), _luma(target))
    if families[1] == "gray":
        return [luma]
    if families[1] == "rgb":
        return [luma, luma, luma]
    shape = target.format.plane_shape(1, luma.shape[1], luma.shape[0])
    neutral = np.full(shape, 1 << (target.format.bits - 1), target.format.dtype)
    return [luma, neutral, neutral]


def _opacity(plane: Plane, source: PixelFormat, target: PixelFormat) -> Plane:
    """Convert opacity, which is of full range whatever the colours are, to the depth of another format."""
    before, after = (_luma(PlaneMeaning(format=format, range="full")) for format in (source, target))
    return _one_plane(plane, before, after)


def _one_plane(plane: Plane, source: PlaneMeaning, target: PlaneMeaning) -> Plane:
    """Convert the range and depth of a plane."""
    return plane if source == target else convert([plane], source, target)[0]


def _luma(meaning: PlaneMeaning) -> PlaneMeaning:
    """The meaning of a single plane of full size."""
    format = PixelFormat(family="gray", bits=meaning.format.bits, sample_type=meaning.format.sample_type)
    return PlaneMeaning(format=format, range=meaning.range)

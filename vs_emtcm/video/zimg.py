"""Conversion of planes between YUV, RGB and grey, their ranges, depths and subsampling, by zimg.

zimg comes with VapourSynth, which is imported when the first frame is converted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vs_emtcm.errors import EmtcmError, reason
from vs_emtcm.formats import CHROMA_LOCATIONS, ChromaLocation, PixelFormat, Plane, Range
from vs_emtcm.video.ffmpeg import AVCOL_SPC_BT709

# Matrices between RGB and YUV that need neither primaries nor transfer: BT.709, FCC, BT.601 (two numbers),
# SMPTE 240M, YCgCo and BT.2020 with non-constant luminance (ITU-T H.273, table 4).
MATRICES = frozenset({1, 4, 5, 6, 7, 8, 9})


@dataclass(frozen=True, kw_only=True)
class PlaneMeaning:
    """The meaning of a frame's planes.

    Attributes:
        format: pixel format; opacity is no part of it.
        range: of the samples.
        matrix: of YUV, one of :data:`MATRICES`; RGB and grey have none.
        chroma_location: of subsampled chroma.
    """

    format: PixelFormat
    range: Range
    matrix: int = AVCOL_SPC_BT709
    chroma_location: ChromaLocation = "left"


def convert(planes: Sequence[Plane], source: PlaneMeaning, target: PlaneMeaning) -> list[Plane]:
    """Convert planes; they are rounded to the nearest code value, without dither.

    Chroma is interpolated by Catmull-Rom. Where both are YUV, the matrix stays what it is.

    Args:
        planes: of ``source.format``, each (height, width), of any size: subsampled sizes are rounded up.
        source: what they mean.
        target: what the result means.

    Returns:
        Planes of ``target.format``.

    Raises:
        EmtcmError: VapourSynth cannot be used in this thread, or failed.
    """
    import vapoursynth as vs

    height, width = planes[0].shape
    # VapourSynth takes only sizes that the subsampling divides.
    across, down = (
        1 << max(subsampling)
        for subsampling in zip(source.format.subsampling, target.format.subsampling, strict=True)
    )
    padded = -(-width // across) * across, -(-height // down) * down
    families = {"gray": vs.GRAY, "yuv": vs.YUV, "rgb": vs.RGB}
    try:
        core = vs.core
        formats = [
            core.query_video_format(
                families[each.family],
                vs.INTEGER if each.sample_type == "integer" else vs.FLOAT,
                each.bits,
                *each.subsampling,
            )
            for each in (source.format, target.format)
        ]
        frame = core.create_video_frame(formats[0], *padded)
        for index, plane in enumerate(planes):
            _fill(np.asarray(frame[index]), plane)
        clip = core.std.BlankClip(
            format=formats[0].id, width=padded[0], height=padded[1], length=1, keep=True
        )
        # VapourSynth names the arguments.
        clip = clip.std.ModifyFrame(clip, lambda n, f: frame)  # noqa: ARG005
        clip = clip.resize.Bicubic(
            format=formats[1].id,
            # Catmull-Rom.
            filter_param_a=0,
            filter_param_b=0.5,
            matrix_in=_matrix(source, target),
            matrix=_matrix(target, source),
            range_in_s=source.range,
            range_s=target.range,
            chromaloc_in=CHROMA_LOCATIONS.index(source.chroma_location),
            chromaloc=CHROMA_LOCATIONS.index(target.chroma_location),
            dither_type="none",
        )
        with clip.get_frame(0) as converted:
            result: list[Plane] = []
            for index in range(target.format.planes):
                rows, columns = target.format.plane_shape(index, width, height)
                result.append(np.asarray(converted[index])[:rows, :columns].copy())
            return result
    except (vs.Error, RuntimeError) as error:
        raise EmtcmError(f"colours cannot be converted, as VapourSynth fails: {reason(error)}") from error


def _fill(larger: Plane, plane: Plane) -> None:
    """Write a plane into one that is larger, where it is continued by its last row and column."""
    height, width = plane.shape
    larger[:height, :width] = plane
    larger[:height, width:] = plane[:, -1:]
    larger[height:] = larger[height - 1]


def _matrix(meaning: PlaneMeaning, other: PlaneMeaning) -> int:
    """The matrix for zimg of one side of a conversion."""
    if meaning.format.family == "rgb":
        return 0
    # zimg needs a matrix for YUV and grey, which does nothing where both sides have the same.
    return AVCOL_SPC_BT709 if other.format.family != "rgb" else meaning.matrix

"""Scores of clips that were reduced, noisy and compressed before they were upscaled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np

from training.codec import encode_and_decode
from training.imresize import downscale, to_8bit
from training.methods import Method
from training.pairs import Plane
from training.picture_scores import cropped_to_multiple
from training.pictures import PictureError
from training.scores import Score, score_methods
from vs_emtcm.errors import reason
from vs_emtcm.formats import PixelFormat
from vs_emtcm.video.frames import av_planes

YUV420 = PixelFormat(family="yuv", subsampling=(1, 1))
# Smallest side of a clip in pixels: VIF compares it at four sizes.
SMALLEST_CLIP = 64


def read_clip(clip: Path, frames: int, unit: int) -> list[Plane]:
    """Read the luma of a clip's first frames, cropped to multiples of ``unit``.

    Raises:
        PictureError: the clip is missing, is no video, has no frame or is too small.
    """
    lumas: list[Plane] = []
    try:
        with av.open(str(clip), "r") as container:
            if not container.streams.video:
                raise PictureError(f"{clip} has no video stream; give a video file")
            for frame in container.decode(video=0):
                # The Y plane itself: FFmpeg would stretch limited range on the way to its grey format. With
                # several threads, it spoils some samples.
                yuv = frame.reformat(format="yuv420p", threads=1)
                luma = av_planes(yuv, YUV420)[0].astype(np.uint8)
                lumas.append(cropped_to_multiple(luma, unit, clip, SMALLEST_CLIP))
                if len(lumas) == frames:
                    break
    except (OSError, av.FFmpegError) as error:
        raise PictureError(f"{clip} cannot be read as a video: {reason(error)}") from error
    if not lumas:
        raise PictureError(f"{clip} has no frame; give a whole video")
    return lumas


def evaluate_video(
    clip: Path, scale: int, crf: int, frames: int, methods: Mapping[str, Method], noise: float = 0.0
) -> list[Score]:
    """Reduce a clip, add noise, encode it with x264, decode and upscale it, and compare it with itself.

    Args:
        clip: a video without visible compression; its luma is used.
        scale: 2, 3 or 4.
        crf: x264's constant rate factor.
        frames: how many, from the start.
        methods: what upscales it.
        noise: Gaussian sigma in 8-bit code values, the same noise each time.

    Returns:
        One score for each method.

    Raises:
        PictureError: the clip is missing, is no video, has no frame or is too small.
    """
    rng = np.random.default_rng(0)
    highs = read_clip(clip, frames, 2 * scale)
    reduced = (downscale(high, scale) for high in highs)
    noisy = [to_8bit(low + noise * rng.standard_normal(low.shape)) for low in reduced]
    lows = encode_and_decode(noisy, "libx264", crf)
    pairs = (
        (f"frame {number}", low.astype(np.float64), high)
        for number, (low, high) in enumerate(zip(lows, highs, strict=True))
    )
    grain = f" noise {noise:g}" if noise else ""
    name = f"{clip.name}{grain} CRF {crf}"
    return score_methods(name, scale, pairs, methods, reduction="luma", with_vif=True)

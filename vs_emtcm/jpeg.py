"""JPEG files: which tuning suits them, and their halved chroma brought to full size along luma."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import numpy as np
import torch
from av.video.plane import VideoPlane
from PIL import Image
from torch import Tensor

from vs_emtcm import chroma
from vs_emtcm.errors import is_host_out_of_memory
from vs_emtcm.formats import Plane
from vs_emtcm.pillow import UNREADABLE

# Luminance quantisers of quality 50 (ITU-T T.81, annex K), summed.
STANDARD_SUM = 3688
# From this quality on, "clean" is nearer to the truth than "video" (docs/experiments.md).
CLEAN_FROM = 92
# Of R'G'B' from Y'CbCr (JFIF 1.02, ITU-T T.871).
RED_CR, GREEN_CB, GREEN_CR, BLUE_CB = 1.402, -0.344136, -0.714136, 1.772
# A code value of studio range in those of full range.
CODE = 255 / 219
# Code values that blocks of one picture are apart in the mean, at most, whoever interpolates its chroma.
BLOCK, ONE_PICTURE = 16, 8.0


def usual_tune(path: Path) -> str:
    """The tuning that suits most such pictures: "video" for JPEG of low quality, otherwise "clean".

    What is no picture is "clean"; :func:`vs_emtcm.images.read_picture` says what it is.
    """
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            tables: Mapping[int, list[int]] = getattr(image, "quantization", {})
    except (*UNREADABLE, Image.DecompressionBombError):
        return "clean"
    return "video" if tables and quality_of(tables) < CLEAN_FROM else "clean"


def quality_of(tables: Mapping[int, Sequence[int]]) -> float:
    """What the Independent JPEG Group's library calls these quantisers, nearly: 0 to 100, too high below 25.

    Args:
        tables: those of Pillow's ``quantization``; the first is luma's.
    """
    percent = 100 * sum(tables[min(tables)]) / STANDARD_SUM
    return (200 - percent) / 2 if percent <= 100 else 5000 / percent


def along_luma(path: Path, pixels: Plane) -> Plane:
    """The pixels of a JPEG file, from :func:`read_rgb` where that reads the same picture.

    Args:
        path: the file.
        pixels: (H, W, 3) uint8, as Pillow reads them.

    Raises:
        MemoryError: there is too little.
    """
    try:
        better = read_rgb(path.read_bytes())
    except RuntimeError as error:
        if is_host_out_of_memory(error):
            raise MemoryError from error
        raise
    if better is None or better.shape != pixels.shape:
        return pixels
    # Of damaged files, and of those that hold RGB without saying so, libraries make different pictures.
    ours, others = (np.asarray(Image.fromarray(p).reduce(BLOCK), np.int16) for p in (better, pixels))
    return better if np.abs(ours - others).mean() < ONE_PICTURE else pixels


def read_rgb(data: bytes) -> Plane | None:
    """The picture of a file with 4:2:0 chroma: (H, W, 3) uint8; None of any other.

    Chroma takes its edges from luma, as in :mod:`vs_emtcm.chroma`; other decoders only interpolate it.
    """
    decoder = av.CodecContext.create("mjpeg", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    try:
        (frame,) = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except (ValueError, av.FFmpegError):
        return None
    if frame.format.name != "yuvj420p":
        return None
    luma, *of_colours = (_tensor(plane) for plane in frame.planes)
    # Whoever calls may have asked for half precision of everything.
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        at = chroma.luma_at_chroma(luma, (1, 1), "center")
        guide = chroma.luma_guide(at, luma.clone(), 2, (0.0, 0.0), CODE)
        blue, red = (chroma.upscale(plane - 128, guide, 2, (0.0, 0.0), CODE) for plane in of_colours)
        channels = luma + RED_CR * red, luma + GREEN_CB * blue + GREEN_CR * red, luma + BLUE_CB * blue
        rgb = torch.stack([channel[0, 0] for channel in channels], dim=-1)
        return np.asarray(rgb.round_().clamp_(0, 255).byte().numpy())


def _tensor(plane: VideoPlane) -> Tensor:
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
    return torch.from_numpy(rows.astype(np.float32))[None, None]

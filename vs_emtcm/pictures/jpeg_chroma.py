"""The halved chroma of JPEG files, brought to full size along luma."""

from __future__ import annotations

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

# Weights of R'G'B' from Y'CbCr (JFIF 1.02, ITU-T T.871).
RED_CR = 1.402
GREEN_CB = -0.344136
GREEN_CR = -0.714136
BLUE_CB = 1.772
# One code value of studio range, in code values of full range.
STUDIO_CODE = 255 / 219
# Side in pixels of the blocks whose means are compared to tell whether two libraries read the same picture.
BLOCK = 16
# Mean difference of these in code values, from which on they did not; interpolation of chroma makes less.
SAME_PICTURE = 8.0


def sharpen_chroma(path: Path, pixels: Plane) -> Plane:
    """Read a JPEG file once more, with chroma that takes its edges from luma.

    Args:
        path: the file.
        pixels: (H, W, 3) uint8, as Pillow reads them.

    Returns:
        :func:`read_rgb`'s pixels, or ``pixels`` where that does not read the same picture.

    Raises:
        MemoryError: there is too little.
    """
    try:
        ours = read_rgb(path.read_bytes())
    except RuntimeError as error:
        if is_host_out_of_memory(error):
            raise MemoryError from error
        raise
    if ours is None or ours.shape != pixels.shape:
        return pixels
    # Libraries differ on damaged files, and on files that hold RGB without saying so.
    blocks, pillows = (np.asarray(Image.fromarray(p).reduce(BLOCK), np.int16) for p in (ours, pixels))
    return ours if np.abs(blocks - pillows).mean() < SAME_PICTURE else pixels


def read_rgb(data: bytes) -> Plane | None:
    """Read a JPEG file with 4:2:0 chroma, which takes its edges from luma as in :mod:`vs_emtcm.chroma`.

    Returns:
        (H, W, 3) uint8, or None if ``data`` is anything else.
    """
    decoder = av.CodecContext.create("mjpeg", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    try:
        (frame,) = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except (ValueError, av.FFmpegError):
        return None
    if frame.format.name != "yuvj420p":
        return None
    luma, *colours = (_tensor(plane) for plane in frame.planes)
    # The caller's autocast must not reach this arithmetic.
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        at = chroma.luma_at_chroma(luma, (1, 1), "center")
        guide = chroma.luma_guide(at, luma.clone(), 2, (0.0, 0.0), STUDIO_CODE)
        blue, red = (chroma.upscale(plane - 128, guide, 2, (0.0, 0.0), STUDIO_CODE) for plane in colours)
        channels = luma + RED_CR * red, luma + GREEN_CB * blue + GREEN_CR * red, luma + BLUE_CB * blue
        rgb = torch.stack([channel[0, 0] for channel in channels], dim=-1)
        return np.asarray(rgb.round_().clamp_(0, 255).byte().numpy())


def _tensor(plane: VideoPlane) -> Tensor:
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
    return torch.from_numpy(rows.astype(np.float32))[None, None]

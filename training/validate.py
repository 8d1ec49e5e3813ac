"""Scores and a sample sheet of a network during training."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from training.imresize import to_8bit, upscale
from training.metrics import mean_psnr, psnr, ssim
from training.pairs import Pair, Plane
from vs_emtcm.mirror import mirrored
from vs_emtcm.network import Network, crop
from vs_emtcm.output import complete_file

# Number of pictures, one a row, of a sample sheet.
SHEET_PICTURES = 4
# Largest side of a sheet's cut-outs in pixels.
SHEET_SIDE = 192


@torch.inference_mode()
def both_stages(network: Network, low: Plane) -> list[Plane]:
    """Return the estimates of both stages for a whole picture, (scale*H, scale*W) uint8 luma each.

    Args:
        network: on any device.
        low: (H, W) uint8 luma.
    """
    x = torch.from_numpy(np.array(low))[None, None].to(network.cubic.device).float() / 255
    padded = mirrored(x, network.radius).contiguous(memory_format=torch.channels_last)
    width = low.shape[1] * network.scale
    # Ten bits of a pixel (TF32) are too few for a network that works on differences.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        whole = network.estimates(padded)
    estimates = (crop(e, (e.shape[-1] - width) // 2)[0, 0] for e in whole)
    return [(e * 255).round().clamp(0, 255).byte().cpu().numpy() for e in estimates]


def validate(network: Network, pairs: Iterable[Pair]) -> dict[str, float]:
    """Return the mean PSNR (in dB) and SSIM of both stages: ``x2/1 PSNR``, ``x2/1 SSIM``, ...

    Pictures that come out exactly do not count in PSNR, see :func:`training.metrics.mean_psnr`. Pictures of
    one colour always come out exactly.
    """
    scale = network.scale
    decibels, similarities = [], []
    for pair in pairs:
        results = both_stages(network, pair.low)
        decibels.append([psnr(result, pair.high, scale) for result in results])
        similarities.append([ssim(result, pair.high, scale) for result in results])
    psnrs, _ = mean_psnr(decibels)
    ssims = np.mean(similarities, axis=0).tolist()
    return {
        f"x{scale}/{stage} {metric}": mean
        for stage, means in enumerate(zip(psnrs, ssims, strict=True), start=1)
        for metric, mean in zip(("PSNR", "SSIM"), means, strict=True)
    }


def flat_pictures(pairs: Iterable[Pair]) -> list[int]:
    """Return the numbers, from 0, of the pairs whose high resolution is of one colour."""
    return [number for number, pair in enumerate(pairs) if pair.high.min() == pair.high.max()]


def sample_sheet(network: Network, pairs: Iterable[Pair], path: Path) -> None:
    """Write a picture of cut-outs; each row is bicubic, stage 1, stage 2 and the truth of one pair.

    Args:
        network: whose stages are shown.
        pairs: of which the first ``SHEET_PICTURES`` are shown.
        path: of the picture; its folder is made if it is missing.
    """
    rows = []
    for pair in islice(pairs, SHEET_PICTURES):
        columns = (to_8bit(upscale(pair.low, network.scale)), *both_stages(network, pair.low), pair.high)
        rows.append(np.hstack([_centre(picture) for picture in columns]))
    sheet = np.vstack([_padded(row, max(r.shape[1] for r in rows)) for row in rows])
    path.parent.mkdir(exist_ok=True)
    with complete_file(path) as temporary:
        Image.fromarray(sheet).save(temporary)


def _centre(picture: Plane) -> Plane:
    """Return the cut-out of the middle of a picture."""
    top, left = (max(0, (n - SHEET_SIDE) // 2) for n in picture.shape)
    return picture[top : top + SHEET_SIDE, left : left + SHEET_SIDE]


def _padded(row: NDArray[np.uint8], width: int) -> Plane:
    """Extend a row of cut-outs to a width by black on the right."""
    return np.pad(row, ((0, 0), (0, width - row.shape[1])))

"""Colour behind transparency, which upscaling would draw into what is seen beside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def filled_behind(planes: Sequence[Tensor], subsampling: tuple[int, int], distance: int) -> list[Tensor]:
    """Give pixels that are wholly transparent the colours of those that are not, nearby.

    Their own are often black, whatever is beside them, and would leave a dark seam there.

    Args:
        planes: (1, 1, H, W) each, alpha last.
        subsampling: base-2 logarithm, (horizontal, vertical), of the smaller ones.
        distance: how far from what is seen, in samples of each plane.

    Returns:
        The planes, alpha as it was.
    """
    *colours, alpha = planes
    seen = (alpha > 0).to(alpha)
    if bool(seen.all()) or not bool(seen.any()):
        return list(planes)
    filled = []
    for plane in colours:
        whole = plane.shape == alpha.shape
        at = seen if whole else F.max_pool2d(seen, [1 << log2 for log2 in subsampling[::-1]], ceil_mode=True)
        filled.append(_spread(plane, at, distance))
    return [*filled, alpha]


def _spread(plane: Tensor, seen: Tensor, distance: int) -> Tensor:
    for _ in range(distance):
        share = F.avg_pool2d(seen, 3, stride=1, padding=1)
        mean = F.avg_pool2d(plane * seen, 3, stride=1, padding=1) / share
        edge = (seen == 0) & (share > 0)
        plane = torch.where(edge, mean, plane)
        seen = seen.masked_fill(edge, 1)
    return plane

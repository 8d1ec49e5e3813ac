"""Fill in the colours of transparent pixels, which upscaling would mix into the visible ones beside them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def filled_behind(planes: Sequence[Tensor], subsampling: tuple[int, int], distance: int) -> list[Tensor]:
    """Give wholly transparent pixels the colours of visible ones nearby.

    Their own colours are often black, whatever is beside them, and would leave a dark seam.

    Args:
        planes: (1, 1, H, W) each, alpha last; a pixel is visible where alpha is above 0.
        subsampling: base-2 logarithm, (horizontal, vertical), of the planes that are smaller than alpha.
        distance: how far from visible pixels colours are filled in, in samples of each plane.

    Returns:
        The planes, alpha as it was.
    """
    *colours, alpha = planes
    visible = (alpha > 0).to(alpha)
    if bool(visible.all()) or not bool(visible.any()):
        return list(planes)
    filled = []
    for plane in colours:
        mask = visible
        if plane.shape != alpha.shape:
            # A sample of chroma is visible where any of its pixels is.
            mask = F.max_pool2d(visible, [1 << log2 for log2 in subsampling[::-1]], ceil_mode=True)
        filled.append(_spread(plane, mask, distance))
    return [*filled, alpha]


def _spread(plane: Tensor, mask: Tensor, distance: int) -> Tensor:
    """Grow the area where ``mask`` is 1 by one sample at a time, as the mean of the 3x3 samples around.

    Args:
        plane: (1, 1, H, W).
        mask: (1, 1, H, W), 1 where a sample is visible, else 0.
        distance: how often the area grows.
    """
    for _ in range(distance):
        share = F.avg_pool2d(mask, 3, stride=1, padding=1)
        mean = F.avg_pool2d(plane * mask, 3, stride=1, padding=1) / share
        edge = (mask == 0) & (share > 0)
        plane = torch.where(edge, mean, plane)
        mask = mask.masked_fill(edge, 1)
    return plane

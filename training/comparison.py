"""Sheets that show the results of several methods side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

from training.methods import Method
from training.pairs import Plane
from vs_emtcm.errors import UsageError


def comparison(
    low: Plane, high: Plane, methods: Mapping[str, Method], corner: tuple[int, int], side: int
) -> Plane:
    """Return a cut-out of every method's result and of the truth, side by side and enlarged twice.

    Args:
        low: a low-resolution picture, (H, W) uint8 luma.
        high: the truth, (scale*H, scale*W) uint8 luma.
        methods: from left to right; the truth is last.
        corner: top and left of the cut-out in pixels of ``high``.
        side: of the cut-out in pixels of ``high``.

    Returns:
        (2 * side, 2 * side * (len(methods) + 1)) uint8.

    Raises:
        UsageError: the cut-out is not within the picture.
    """
    top, left = corner
    height, width = high.shape
    if top + side > height or left + side > width:
        raise UsageError(
            f"{side} pixels from {top} down and {left} across are not all within the picture of "
            f"{width}x{height}; change --top, --left or --side"
        )
    parts = [
        picture[top : top + side, left : left + side]
        for picture in (*(run(low.astype(np.float64)) for run in methods.values()), high)
    ]
    row = Image.fromarray(np.hstack(parts))
    return np.asarray(row.resize((row.width * 2, row.height * 2), Image.Resampling.NEAREST))

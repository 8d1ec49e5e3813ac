"""Interpolation from the sub-pixels of one scale to those of another."""

from __future__ import annotations

import torch
from torch import Tensor


def subpixel_interpolation(source: int, target: int) -> Tensor:
    """Return the matrix of linear interpolation (and extrapolation) from one scale's sub-pixels to another's.

    Returns:
        (target**2, source**2), both in the order of ``pixel_shuffle``; each row sums to one.
    """
    known = (torch.arange(source) + 0.5) / source - 0.5
    wanted = (torch.arange(target) + 0.5) / target - 0.5
    left = (torch.searchsorted(known, wanted) - 1).clamp(0, source - 2)
    share = (wanted - known[left]) * source
    rows = torch.zeros(target, source)
    rows[torch.arange(target), left] = 1 - share
    rows[torch.arange(target), left + 1] += share
    return torch.einsum("ai,bj->abij", rows, rows).reshape(target**2, source**2)

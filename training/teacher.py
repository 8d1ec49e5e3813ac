"""Targets half made by a larger network: less noise than the truth alone."""

from __future__ import annotations

import numpy as np

from training.cache import Pair
from training.evaluate import Method
from training.imresize import to_8bit


def taught(pair: Pair, teacher: Method) -> Pair:
    """The mean of the truth and of what a teacher makes of the low resolution.

    Much of a truth cannot be known from its low resolution. To a small network that part is noise, and a
    larger network leaves it out.

    Args:
        pair: with the truth.
        teacher: from low resolution to high resolution. It sees the picture in four orientations; the mean of
            its answers is better than each (Lim et al., EDSR, CVPRW 2017).
    """
    low = pair.low.astype(np.float64)
    answers = [np.rot90(teacher(np.rot90(low, turn).copy()), -turn) for turn in range(4)]
    mean = np.mean(answers, axis=0)
    return Pair(scale=pair.scale, low=pair.low, high=to_8bit((mean + pair.high) / 2))

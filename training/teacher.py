"""Training targets that a larger network makes half of."""

from __future__ import annotations

import numpy as np

from training.imresize import to_8bit
from training.methods import Method
from training.pairs import Pair


def taught(pair: Pair, teacher: Method) -> Pair:
    """Return a pair whose high resolution is the mean of the truth and of a teacher's result.

    Much of the truth cannot be known from its low resolution. To a small network that part is noise, and a
    larger network leaves it out.

    Args:
        pair: a low resolution and the truth.
        teacher: upscales the low resolution in four orientations; the mean of its results is better than each
            (Lim et al., EDSR, CVPRW 2017).
    """
    low = pair.low.astype(np.float64)
    answers = [np.rot90(teacher(np.rot90(low, turn).copy()), -turn) for turn in range(4)]
    mean = np.mean(answers, axis=0)
    return Pair(scale=pair.scale, low=pair.low, high=to_8bit((mean + pair.high) / 2))

"""Pairs are stored in one array."""

import numpy as np

from tests.material import codes
from training.pairs import clean_pair
from training.store import SURROUNDINGS, pack


def test_a_scale_alone_takes_no_more_room_than_its_own_pictures():
    pairs = [clean_pair(codes(72, 96, seed=i), s) for i in range(3) for s in (2, 3)]
    alone = pack(pairs)[3].alone()
    height, width = 24 + 2 * SURROUNDINGS, 32 + 2 * SURROUNDINGS
    assert alone.pixels.size == 3 * (1 + 9) * height * width
    for found, wanted in zip(alone, pairs[1::2], strict=True):
        np.testing.assert_array_equal(found.low, wanted.low)
        np.testing.assert_array_equal(found.high, wanted.high)

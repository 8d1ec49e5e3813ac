"""A teacher's answers are turned back, averaged, and mixed with the truth."""

import numpy as np

from tests.material import codes
from training.pairs import clean_pair
from training.teacher import taught


def enlarged(low):
    return np.repeat(np.repeat(low, 2, axis=0), 2, axis=1)


def test_a_teacher_without_preferred_direction_is_averaged_with_the_truth():
    pair = clean_pair(codes(20, 28), 2)
    result = taught(pair, enlarged)
    assert result.low is pair.low
    np.testing.assert_allclose(result.high, (enlarged(pair.low).astype(float) + pair.high) / 2, atol=0.5)


def test_the_error_of_a_teacher_that_depends_on_direction_is_averaged_over_four():
    pair = clean_pair(np.full((20, 28), 100, np.uint8), 2)

    def tilted(low):
        return (enlarged(low) + np.arange(2 * low.shape[1])[None] % 8).astype(np.uint8)

    columns = (100 + np.mean([np.rot90(tilted(np.rot90(pair.low, k)), -k) for k in range(4)], axis=0)) / 2
    np.testing.assert_allclose(taught(pair, tilted).high, columns, atol=0.5)

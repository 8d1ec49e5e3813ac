"""Methods' cut-outs stand side by side."""

import numpy as np
import pytest

from tests.material import codes
from training.comparison import comparison
from vs_emtcm.errors import UsageError


def test_every_method_shows_the_same_place_and_the_truth_is_last():
    high = codes(40, 60)
    methods = {"truth": lambda low: high, "flat": lambda low: np.full_like(high, low.dtype == np.float64)}
    sheet = comparison(high[::2, ::2], high, methods, (10, 20), 16)
    cut_out = high[10:26, 20:36].repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(sheet, np.hstack([cut_out, np.ones_like(cut_out), cut_out]))


@pytest.mark.parametrize("corner", [(25, 0), (0, 45)])
def test_a_cut_out_is_within_the_picture(corner):
    with pytest.raises(UsageError, match="are not all within the picture of 60x40; change --top, --left or"):
        comparison(codes(20, 30), codes(40, 60), {}, corner, 16)

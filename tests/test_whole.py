"""Whole numbers are told by their type."""

import numpy as np
import pytest

from vs_emtcm.whole import is_whole


@pytest.mark.parametrize("value", [0, -3, np.uint8(7), np.int64(-1)])
def test_whole_numbers_are_whole(value):
    assert is_whole(value)


@pytest.mark.parametrize("value", [True, np.bool_(True), 2.0, np.float32(2), "2", None])
def test_others_are_not(value):
    assert not is_whole(value)

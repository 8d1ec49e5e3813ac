"""Joined packets are decoded in their order, and before they are shown."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vs_emtcm.video.decoding_times import decoding_times


def test_without_reordering_they_are_decoded_as_they_are_shown():
    assert decoding_times([3, 5, 9]) == [3, 5, 9]
    assert decoding_times([]) == []


def test_two_encoders_with_reordering_are_as_one():
    # Two groups of a key frame, a frame and two frames between them, one tick apart.
    assert decoding_times([0, 3, 1, 2, 4, 7, 5, 6]) == [-1, 0, 1, 2, 3, 4, 5, 6]


def test_the_first_encoders_lead_is_kept():
    assert decoding_times([0, 2, 1, 3], [-7, -5]) == [-7, -5, 0, 1]
    assert decoding_times([0, 30, 10, 20], [-10]) == [-10, 0, 10, 20]
    assert decoding_times([40, 10, 20, 30], [-5]) == [-5, 10, 20, 30]


@given(
    times=st.lists(st.integers(-(10**6), 10**12), unique=True, min_size=1, max_size=40),
    size=st.integers(1, 8),
    seed=st.randoms(use_true_random=False),
)
def test_any_order_within_parts_has_times(times, size, seed):
    times.sort()
    shown = []
    for start in range(0, len(times), size):
        part = times[start : start + size]
        seed.shuffle(part)
        shown += part
    decoded = decoding_times(shown)
    assert all(d <= s for d, s in zip(decoded, shown, strict=True))
    assert (np.diff(decoded) > 0).all()

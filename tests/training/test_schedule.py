"""The learning rate rises to its peak and falls to the end."""

import pytest

from training.config import Phase, Schedule
from training.schedule import learning_rate


@pytest.mark.parametrize(("form", "peak"), [("cosine", 9), ("one-cycle", 32)])
@pytest.mark.parametrize("end", [0.0, 1e-3])
def test_the_learning_rate_rises_and_falls(form, peak, end):
    schedule = Schedule(form=form, warmup=10, ema=0.9, seed=1, evaluate_every=1, checkpoint_every=1)
    phase = Phase(scales=(2,), steps=100, batch=1, crop=24, learning_rate=3e-3, end_rate=end)
    rates = [learning_rate(schedule, phase, step) for step in range(101)]
    assert rates[peak] == max(rates) == pytest.approx(3e-3)
    assert rates[0] < rates[5] < rates[peak] > rates[50] > rates[99] > rates[100] == pytest.approx(end)

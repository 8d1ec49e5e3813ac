"""A generator in a thread behaves like the generator."""

import threading
import time

import pytest

from vs_emtcm.video.background import run_ahead


def test_items_come_in_order():
    assert list(run_ahead(iter(range(100)), 3)) == list(range(100))


def test_an_error_arrives_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    ahead = run_ahead(items(), 2)
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_it_runs_as_far_ahead_as_it_may_and_no_further():
    taken = []

    def items():
        for i in range(50):
            taken.append(i)
            yield i

    ahead = run_ahead(items(), 3)
    assert next(ahead) == 0
    # Three wait, one is in hand, one was given out.
    for _ in range(1000):
        if len(taken) == 5:
            break
        time.sleep(0.01)
    assert len(taken) == 5
    time.sleep(0.05)
    assert len(taken) == 5
    ahead.close()


def test_nothing_is_lost_while_the_next_step_takes_its_time(monkeypatch):
    monkeypatch.setattr("vs_emtcm.video.background.PATIENCE", 0.01)
    found = []

    def consume():
        for item in run_ahead(iter(range(6)), 1):
            time.sleep(0.05)
            found.append(item)

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    consumer.join(30)
    assert found == list(range(6))


def test_closing_stops_the_thread_and_closes_the_source():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    ahead = run_ahead(items(), 1)
    next(ahead)
    ahead.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_a_source_that_cannot_be_closed_raises_here():
    def items():
        try:
            yield 1
            raise ValueError("broken")
        except ValueError:
            yield 2
        finally:
            raise OSError("not closed")

    ahead = run_ahead(items(), 2)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(OSError, match="not closed"):
        next(ahead)

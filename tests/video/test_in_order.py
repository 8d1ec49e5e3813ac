"""Several workers, results in the order of the items."""

import threading
import time

import pytest

from vs_emtcm.video.in_order import in_order


class Worker:
    """Squares numbers, the even ones slowly; notes if it is called while it works."""

    def __init__(self):
        self.busy = threading.Lock()
        self.done = 0

    def __call__(self, number):
        assert self.busy.acquire(blocking=False)
        time.sleep(0.004 if number % 2 == 0 else 0)
        self.done += 1
        self.busy.release()
        return number * number


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_order_whoever_is_first(count):
    workers = [Worker() for _ in range(count)]
    assert list(in_order(range(40), workers)) == [n * n for n in range(40)]
    assert sum(worker.done for worker in workers) == 40
    assert all(worker.done for worker in workers)


def test_workers_work_side_by_side():
    meeting = threading.Barrier(3, timeout=10)
    assert len(list(in_order(range(6), [lambda _: meeting.wait()] * 3))) == 6


def test_it_takes_no_more_ahead_than_one_item_each_and_one():
    taken = []

    def items():
        for n in range(50):
            taken.append(n)
            yield n

    results = in_order(items(), [Worker(), Worker()])
    assert next(results) == 0
    assert len(taken) <= 3
    results.close()
    assert len(taken) <= 3


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_comes_in_its_place(count):
    def work(number):
        if number == 3:
            raise ValueError("broken")
        return number

    results = in_order(range(10), [work] * count)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(results)

"""Several workers, results in the order of the items."""

import threading
import time

import pytest

from vs_emtcm.video.parallel import MAX_WAITING, map_in_order


class Worker:
    """Squares numbers, the even ones slowly; notes if it is called while it works.

    Of the first numbers each goes to another worker, as these wait for each other.
    """

    def __init__(self, meeting=None):
        self.meeting = meeting
        self.busy = threading.Lock()
        self.threads = set()
        self.done = 0

    def __call__(self, number):
        assert self.busy.acquire(blocking=False)
        if self.meeting is not None and number < self.meeting.parties:
            self.meeting.wait()
        time.sleep(0.004 if number % 2 == 0 else 0)
        self.threads.add(threading.get_ident())
        self.done += 1
        self.busy.release()
        return number * number


def wanted(items):
    return ((item, True) for item in items)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_order_whoever_is_first(count):
    meeting = threading.Barrier(count, timeout=60)
    workers = [Worker(meeting) for _ in range(count)]
    assert list(map_in_order(wanted(range(40)), workers)) == [n * n for n in range(40)]
    assert sum(worker.done for worker in workers) == 40
    assert all(worker.done for worker in workers)
    assert all(len(worker.threads) == 1 for worker in workers)
    assert len(set.union(*(worker.threads for worker in workers))) == count


@pytest.mark.parametrize("count", [1, 3])
def test_what_is_not_to_be_worked_on_keeps_its_place(count):
    tasks = ((n, n % 3 == 0) for n in range(40))
    results = list(map_in_order(tasks, [Worker() for _ in range(count)]))
    assert results == [n * n if n % 3 == 0 else n for n in range(40)]


def test_frames_that_only_pass_through_do_not_pile_up_behind_one_that_is_worked_on():
    taken = []

    def tasks():
        for number in range(1000):
            taken.append(number)
            yield number, number == 0

    results = map_in_order(tasks(), [lambda number: number] * 3)
    assert next(results) == 0
    assert len(taken) <= MAX_WAITING + 1
    assert list(results) == list(range(1, 1000))


@pytest.mark.parametrize("between", [0, 1, 9])
def test_workers_work_side_by_side_whatever_is_between_their_items(between):
    meeting = threading.Barrier(3, timeout=10)

    def work(item):
        meeting.wait()
        return item

    tasks = [(n, n % (between + 1) == 0) for n in range(6 * (between + 1))]
    assert list(map_in_order(tasks, [work] * 3)) == [n for n, _ in tasks]


def test_it_takes_no_more_ahead_than_one_item_each_and_one():
    taken = []

    def items():
        for n in range(50):
            taken.append(n)
            yield n, True

    results = map_in_order(items(), [Worker(), Worker()])
    assert next(results) == 0
    assert taken == [0, 1, 2]
    results.close()
    assert taken == [0, 1, 2]


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_of_a_worker_comes_in_its_place(count):
    def work(number):
        if number == 3:
            raise ValueError("broken")
        return number

    results = map_in_order(wanted(range(10)), [work] * count)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(results)


@pytest.mark.parametrize("count", [1, 3])
def test_an_error_of_the_source_comes_after_all_that_came_before_it(count):
    def items():
        yield from wanted(range(7))
        raise OSError("unreadable")

    results = map_in_order(items(), [Worker() for _ in range(count)])
    assert [next(results) for _ in range(7)] == [n * n for n in range(7)]
    with pytest.raises(OSError, match="unreadable"):
        next(results)

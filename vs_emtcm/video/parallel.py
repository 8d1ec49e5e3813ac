"""Work on several items at once, with results in the order of the items."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

# Items at most that wait for their turn: those that pass by unchanged pile up behind one that is worked on.
MAX_WAITING = 32


def map_in_order[Item](
    tasks: Iterable[tuple[Item, bool]], workers: Sequence[Callable[[Item], Item]]
) -> Generator[Item]:
    """Yield every item in order: those that are to be worked on as a worker returns them, others unchanged.

    Each worker has its own thread and works on one item at a time. Items are taken from ``tasks`` in advance:
    of those to work on, one more than there are workers, and :data:`MAX_WAITING` in all. An exception of a
    worker or of ``tasks`` is raised after all items before it.

    Args:
        tasks: pairs of an item and whether it is to be worked on.
        workers: interchangeable functions from an item to its result.
    """
    if len(workers) == 1:
        for item, wanted in tasks:
            yield workers[0](item) if wanted else item
        return
    # Each worker stays on one thread: libraries keep data for every thread that a worker ever runs on.
    own = threading.local()
    unowned = SimpleQueue[Callable[[Item], Item]]()
    for worker in workers:
        unowned.put(worker)

    def begin() -> None:
        own.worker = unowned.get()

    def work(item: Item) -> Item:
        result: Item = own.worker(item)
        return result

    # A future for an item that is worked on; a tuple holds one that passes by unchanged.
    waiting: deque[Future[Item] | tuple[Item]] = deque()
    working = 0
    with ThreadPoolExecutor(len(workers), initializer=begin) as pool:
        try:
            for task in _then_error(tasks):
                if isinstance(task, Exception):
                    failed: Future[Item] = Future()
                    failed.set_exception(task)
                    waiting.append(failed)
                    continue
                item, wanted = task
                waiting.append(pool.submit(work, item) if wanted else (item,))
                working += wanted
                while waiting and (
                    working > len(workers) or len(waiting) > MAX_WAITING or isinstance(waiting[0], tuple)
                ):
                    first = waiting.popleft()
                    working -= isinstance(first, Future)
                    yield _result(first)
            while waiting:
                yield _result(waiting.popleft())
        finally:
            for left in waiting:
                if isinstance(left, Future):
                    left.cancel()


def _then_error[Task](tasks: Iterable[Task]) -> Generator[Task | Exception]:
    """Yield the tasks, and then the exception that ended them, if one did."""
    try:
        yield from tasks
    except Exception as error:  # raised by the caller, after the results of the tasks before it
        yield error


def _result[Item](waiting: Future[Item] | tuple[Item]) -> Item:
    return waiting[0] if isinstance(waiting, tuple) else waiting.result()

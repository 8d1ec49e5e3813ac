"""Work on several items at once whose results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue


def in_order[Item, Result](
    items: Iterable[Item], workers: Sequence[Callable[[Item], Result]]
) -> Generator[Result]:
    """Yield the result of each item, in their order.

    Each worker has a thread and works on one item at a time; one item more than there are workers is taken
    ahead. An exception raised by a worker is raised here, in its place.
    """
    if len(workers) == 1:
        yield from map(workers[0], items)
        return
    idle: SimpleQueue[Callable[[Item], Result]] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def work(item: Item) -> Result:
        worker = idle.get()
        try:
            return worker(item)
        finally:
            idle.put(worker)

    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(len(workers)) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > len(workers):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for unfinished in waiting:
                unfinished.cancel()

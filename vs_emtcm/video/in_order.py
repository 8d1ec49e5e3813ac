"""Work on several items at once whose results come in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

# Items that are taken ahead at most: frames that only pass through wait behind one that is worked on.
AHEAD = 32


def in_order[Item](
    tasks: Iterable[tuple[Item, bool]], workers: Sequence[Callable[[Item], Item]]
) -> Generator[Item]:
    """Yield items in their order, those that are to be worked on after one of the workers did.

    Each worker has its own thread and works on one item at a time. One item more than there are workers is
    taken ahead, and up to :data:`AHEAD` that are not worked on. An exception of a worker or of ``tasks`` is
    raised here, after all items before it.

    Args:
        tasks: items, and whether each is to be worked on.
        workers: of the items, each as good as any.
    """
    if len(workers) == 1:
        for item, wanted in tasks:
            yield workers[0](item) if wanted else item
        return
    # Of a worker that came to several threads, libraries would keep something for each.
    own = threading.local()
    unowned = SimpleQueue[Callable[[Item], Item]]()
    for worker in workers:
        unowned.put(worker)

    def begin() -> None:
        own.worker = unowned.get()

    def work(item: Item) -> Item:
        result: Item = own.worker(item)
        return result

    # What is not worked on is there already.
    waiting: deque[Future[Item] | tuple[Item]] = deque()
    working = 0
    with ThreadPoolExecutor(len(workers), initializer=begin) as pool:
        try:
            for task in _with_error(tasks):
                if isinstance(task, Exception):
                    failed: Future[Item] = Future()
                    failed.set_exception(task)
                    waiting.append(failed)
                    continue
                item, wanted = task
                waiting.append(pool.submit(work, item) if wanted else (item,))
                working += wanted
                while waiting and (
                    working > len(workers) or len(waiting) > AHEAD or isinstance(waiting[0], tuple)
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


def _with_error[Task](tasks: Iterable[Task]) -> Generator[Task | Exception]:
    """The tasks, and at the end the exception that ended them, if one did."""
    try:
        yield from tasks
    except Exception as error:  # it comes after what came before it
        yield error


def _result[Item](waiting: Future[Item] | tuple[Item]) -> Item:
    return waiting[0] if isinstance(waiting, tuple) else waiting.result()

"""A generator that runs ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator

# A thread that is told to stop looks up at least this often, in seconds.
PATIENCE = 0.2


class _Ended:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def run_ahead[Item](items: Iterator[Item], depth: int) -> Generator[Item]:
    """Yield ``items``, computed in a thread of their own, at most ``depth`` ahead.

    An exception raised there is raised here. Closing the generator stops the thread and waits for it.
    """
    ready: queue.Queue[Item | _Ended] = queue.Queue(depth)
    stop = threading.Event()

    def offer(item: Item | _Ended) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=PATIENCE)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not offer(item):
                    break
        except BaseException as raised:  # handed over to the consumer, whatever it is
            error = raised
        finally:
            try:
                if isinstance(items, Generator):
                    items.close()
            except BaseException as raised:
                error = error or raised
            offer(_Ended(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, _Ended):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        thread.join()

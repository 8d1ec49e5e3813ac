"""Iteration that runs ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress

# How often a thread that waits looks whether it is to stop, in seconds.
PATIENCE = 0.2


class _Ended:
    """The end of the items; with the exception that ended them, if one did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def run_ahead[Item](items: Iterator[Item], depth: int) -> Generator[Item]:
    """Yield ``items``, which are computed in another thread, at most ``depth`` in advance.

    An exception that the items raise is raised here, after the items before it. Closing the generator stops
    the thread, waits for it, and ignores errors of closing ``items``: the caller has an error of its own
    already, or wants no more items.
    """
    ready: queue.Queue[Item | _Ended] = queue.Queue(depth)
    stop, ended = threading.Event(), threading.Event()

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
        try:
            # Does nothing if it came to its end or failed.
            if isinstance(items, Generator):
                with suppress(BaseException):
                    items.close()
            offer(_Ended(error))
        finally:
            ended.set()

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
        _wait(ended)
        thread.join()


def _wait(ended: threading.Event) -> None:
    """Wait until a thread has ended, and raise an interruption only then.

    A process that exits while a library still works in a thread is aborted. The wait is for an event, as
    Python 3.12 takes a thread for ended once joining it was interrupted.

    Raises:
        KeyboardInterrupt: there was an interruption in the meantime.
    """
    interrupted: KeyboardInterrupt | None = None
    while not ended.is_set():
        try:
            ended.wait()
        except KeyboardInterrupt as error:
            interrupted = error
    if interrupted is not None:
        raise interrupted

"""A generator that runs ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress

# A thread that is told to stop looks up at least this often, in seconds.
PATIENCE = 0.2


class _Ended:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def run_ahead[Item](items: Iterator[Item], depth: int) -> Generator[Item]:
    """Yield ``items``, computed in a thread of their own, at most ``depth`` ahead.

    An exception raised there is raised here. Closing the generator stops the thread and waits for it; what
    goes wrong in closing ``items`` then is not told: whoever closes has an error of its own, or wants none.
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
            # One that came to its end, or failed, is closed already.
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
    """Wait through interruptions: a process that ends while a library works in a thread is aborted.

    Not for the thread itself, which Python 3.12 takes for ended when the waiting for it is interrupted.

    Raises:
        KeyboardInterrupt: the waiting was interrupted; it is over all the same.
    """
    interrupted: KeyboardInterrupt | None = None
    while not ended.is_set():
        try:
            ended.wait()
        except KeyboardInterrupt as error:
            interrupted = error
    if interrupted is not None:
        raise interrupted

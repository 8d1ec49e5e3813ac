"""One process at a time in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vs_emtcm.errors import UsageError

try:
    import fcntl
except ImportError:
    # Windows.
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path, refusal: str) -> Iterator[None]:
    """Work in a folder alone; it is made if missing. Where the system has no locks, nothing is refused.

    Raises:
        UsageError: another one does; the message is ``refusal``.
    """
    if fcntl is None:
        folder.mkdir(exist_ok=True)
        yield
        return
    opened = _lock(folder, refusal)
    try:
        yield
    finally:
        os.close(opened)


def _lock(folder: Path, refusal: str) -> int:
    while True:
        folder.mkdir(exist_ok=True)
        opened = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(opened)
            raise UsageError(refusal) from error
        except OSError:
            # Not every network file system has locks.
            return opened
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(opened), folder.stat()):
                return opened
        # Another process ended just now and took the folder with it.
        os.close(opened)

"""Let one process at a time work in a folder."""

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

    Args:
        folder: where the work is done; its parent must be there.
        refusal: the message for who comes second.

    Raises:
        UsageError: another process, or another part of this one, works in the folder.
        OSError: the folder can be neither opened nor made.
    """
    if fcntl is None:
        folder.mkdir(exist_ok=True)
        yield
        return
    descriptor = _lock(folder, refusal)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path, refusal: str) -> int:
    """Return an open descriptor of the folder, which holds the lock until it is closed.

    Another process may end at any time and remove the folder: a lock counts only if the folder that was
    opened is still the one of this name.
    """
    while True:
        folder.mkdir(exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise UsageError(refusal) from error
        except OSError:
            # Some network file systems have no locks.
            return descriptor
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), folder.stat()):
                return descriptor
        os.close(descriptor)

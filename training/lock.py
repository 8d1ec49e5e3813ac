"""One training at a time in a run's folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vs_emtcm.errors import UsageError

try:
    import fcntl
except ImportError:
    # Windows.
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Refuse a folder that another training works in, where the system can tell; it is made if it is missing.

    Raises:
        UsageError: another one does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(opened)
        raise UsageError(
            f"another training works in {folder}; wait for its end, or give another folder"
        ) from error
    except OSError:
        # Not every network file system has locks.
        pass
    try:
        yield
    finally:
        os.close(opened)

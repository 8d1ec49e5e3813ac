"""One training at a time in a run's folder."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from training.folders import make_folder
from vs_emtcm import lock


def locked(folder: Path) -> AbstractContextManager[None]:
    """Hold the lock of a run's folder, where the system has such locks; the folder is made if it is missing.

    Raises:
        UsageError: another training holds it, or the folder cannot be made.
    """
    make_folder(folder)
    return lock.locked(
        folder, f"another training works in {folder}; wait for its end, or give another folder"
    )

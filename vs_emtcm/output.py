"""Output files that appear under their name only when complete."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vs_emtcm.errors import UsageError, reason


def check_folder(folder: Path) -> None:
    """Refuse a folder that does not exist.

    Raises:
        UsageError: it does not.
    """
    if not folder.is_dir():
        raise UsageError(f"the folder {folder} does not exist; create it first")


def check_output(source: Path, target: Path, overwrite: bool) -> None:
    """Refuse a target that must not or cannot be written.

    Raises:
        UsageError: it is the source, exists without ``overwrite``, or its folder does not exist or
            cannot be written to.
    """
    if target.exists():
        if source.exists() and target.samefile(source):
            raise UsageError(f"{target} is the input itself; give another name for the output")
        if target.is_dir():
            raise UsageError(f"{target} is a folder; give the name of a file")
        if not overwrite:
            raise UsageError(f"{target} exists already; give another name or --overwrite")
    folder = target.parent
    check_folder(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"the folder {folder} cannot be written to: {reason(error)}; choose another place"
        ) from error


def sync_file(path: Path) -> None:
    """Have a file on the disk when this returns.

    Raises:
        OSError: it is not, such as for want of room.
    """
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk when this returns, where the system can do that."""
    with suppress(OSError):
        place = os.open(path, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)


@contextmanager
def complete_file(target: Path, folder: Path | None = None) -> Iterator[Path]:
    """A temporary name beside ``target``; renamed to it at the end, removed after an exception.

    Args:
        target: the file that appears at the end.
        folder: where it is until then, on the same file system; None is beside it.
    """
    # Not made of the target's name, which may be as long as names can be, nor of the process's number, which
    # another may have in another container.
    temporary = (folder or target.parent) / f".{secrets.token_hex(8)}.partial{target.suffix}"
    try:
        yield temporary
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)

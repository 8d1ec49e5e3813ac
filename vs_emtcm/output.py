"""Output files that appear under their name only when complete."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vs_emtcm.errors import EmtcmError, UsageError, WritingError, reason


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
        UsageError: it is the source or no file, exists without ``overwrite``, or its folder does not exist or
            cannot be written to.
    """
    # A link to nowhere is there as well.
    if os.path.lexists(target):
        if target.exists() and source.exists() and target.samefile(source):
            raise UsageError(f"{target} is the input itself; give another name for the output")
        if target.is_dir():
            raise UsageError(f"{target} is a folder; give the name of a file")
        if target.exists() and not target.is_file():
            raise UsageError(f"{target} is a device or a pipe; give the name of a file")
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

    The file is on the disk before it has its name, and its name when this ends: what a power cut leaves under
    it is whole. A link with this name is replaced, not the file that it points to.

    Args:
        target: the file that appears at the end; if it is there already, it is replaced, and keeps its mode.
        folder: where it is until then, on the same file system; None is beside it.

    Raises:
        WritingError: a target that was not there appeared meanwhile; it stays.
        EmtcmError: the file does not get onto the disk, such as for want of room.
    """
    replaces = os.path.lexists(target)
    # Not made of the target's name, which may be as long as names can be, nor of the process's number, which
    # another may have in another container.
    temporary = (folder or target.parent) / f".{secrets.token_hex(8)}.partial{target.suffix}"
    try:
        yield temporary
        if replaces:
            with suppress(OSError):
                shutil.copymode(target, temporary)
        try:
            sync_file(temporary)
        except OSError as error:
            raise EmtcmError(f"{target} cannot be written: {reason(error)}") from error
        if replaces:
            temporary.replace(target)
        else:
            _rename_to_new(temporary, target)
        sync_folder(target.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _rename_to_new(temporary: Path, target: Path) -> None:
    try:
        # Unlike a renaming, it fails where there is a file.
        os.link(temporary, target)
    except FileExistsError as error:
        raise WritingError(
            f"{target} appeared while it was made and is left as it is; give another name, or --overwrite"
        ) from error
    except OSError:
        # There are file systems without links.
        temporary.replace(target)

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
        UsageError: ``folder`` is no folder.
    """
    if not folder.is_dir():
        raise UsageError(f"the folder {folder} does not exist; create it first")


def check_output(source: Path, target: Path, overwrite: bool) -> None:
    """Refuse a target that must not or cannot be written.

    Raises:
        UsageError: it is the source or no file, exists without ``overwrite``, or its folder does not exist or
            cannot be written to.
    """
    # A dangling link counts as existing: the result would replace it.
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
    """Flush a file to the disk.

    Raises:
        OSError: it does not get there, for example because the disk is full.
    """
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Flush the names in a folder to the disk, on systems that can do that."""
    with suppress(OSError):
        place = os.open(path, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)


@contextmanager
def complete_file(target: Path, folder: Path | None = None) -> Iterator[Path]:
    """Give a temporary name, which becomes ``target`` at the end, or is removed after an exception.

    The content is flushed to the disk before the file is renamed, and the new name is flushed too: a power
    cut leaves either no file or a whole one. A link of this name is replaced, not the file it points to.

    Args:
        target: the file that appears at the end. An existing one is replaced, and its mode is kept.
        folder: where the temporary file lies, on the same file system; None is beside ``target``.

    Raises:
        WritingError: there was no target at the start, and there is one at the end; it stays as it is.
        EmtcmError: the file cannot be flushed, for example because the disk is full.
    """
    replaces = os.path.lexists(target)
    # Random, since the target's name may be as long as names can be, and processes in two containers may have
    # the same number.
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
        # Unlike a rename, a link fails if the target exists.
        os.link(temporary, target)
    except FileExistsError as error:
        raise WritingError(
            f"{target} appeared while it was made and is left as it is; give another name, or --overwrite"
        ) from error
    except OSError:
        # Some file systems have no links.
        temporary.replace(target)

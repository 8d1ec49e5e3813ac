"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What every public function takes for a path.
type AnyPath = str | os.PathLike[str]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name in the folder of ``path``, which is renamed to it at the end.

    The content is flushed to the disk before that. After an exception the temporary file is removed, and a
    file that had the name before stays.

    Raises:
        OSError: the file cannot be written.
    """
    # A random name, as two processes may write the same file at once.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

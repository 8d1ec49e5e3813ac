"""The engine file: a header of JSON that describes the engine, and the engine.

Layout: the magic, the length of the header as 8 bytes (little endian), the header, the engine. The header is
a JSON object with ``description`` (any JSON object), ``bytes`` and ``sha256``: length and hash of the engine,
so that a file can be checked without a GPU.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trt_build.errors import BuildError, EngineFileError
from trt_build.whole_file import AnyPath, whole_file

# The first bytes of an engine file.
MAGIC = b"TRTBUILD1\n"
# Largest accepted length of the header, in bytes: a damaged length must not fill the memory.
LONGEST_HEADER = 1 << 20


def make_folder(folder: Path) -> None:
    """Make a folder for engine files if it does not exist, and check that files can be written to it.

    Raises:
        BuildError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BuildError(
            f"the folder {folder} cannot be written: {error.strerror}; choose another folder"
        ) from error


def write_engine(path: Path, description: Mapping[str, Any], engine: bytes) -> None:
    """Write an engine file; it appears under its name when it is complete.

    Args:
        path: the file; its folder is made if it does not exist.
        description: what JSON can hold.
        engine: the serialised engine.

    Raises:
        BuildError: it cannot be written.
    """
    digest = hashlib.sha256(engine).hexdigest()
    facts = {"description": description, "bytes": len(engine), "sha256": digest}
    # Without optional white space, which could be damaged unnoticed.
    header = json.dumps(facts, separators=(",", ":")).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            temporary.write_bytes(MAGIC + len(header).to_bytes(8, "little") + header + engine)
    except OSError as error:
        raise BuildError(f"{path} cannot be written: {error.strerror}; choose another folder") from error


def read_description(path: Path) -> dict[str, Any]:
    """Read the description of a file's engine; the engine is not read.

    Raises:
        EngineFileError: the file is missing, damaged, or no engine file.
    """
    description: dict[str, Any] = _read_header(path)[0]["description"]
    return description


def read_engine(path: AnyPath) -> bytes:
    """Read the engine of a file and check its length and hash.

    Raises:
        EngineFileError: the file is missing, damaged, or no engine file.
    """
    path = Path(path)
    header, start = _read_header(path)
    try:
        engine = path.read_bytes()[start:]
    except OSError as error:
        raise EngineFileError(f"{path} cannot be read: {error.strerror}") from error
    if len(engine) != header["bytes"] or hashlib.sha256(engine).hexdigest() != header["sha256"]:
        raise EngineFileError(f"{path} is damaged; build it again")
    return engine


def is_engine_file(path: Path) -> bool:
    """Tell whether a file begins like those of :func:`write_engine`; damaged ones may."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Read the header of a file; return it and the offset of the engine in bytes."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise EngineFileError(f"{path} is not an engine file of trt_build; build it again")
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= LONGEST_HEADER else {}
    except OSError as error:
        raise EngineFileError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise EngineFileError(f"{path} is damaged; build it again") from error
    if not isinstance(header, dict) or not {"description", "bytes", "sha256"} <= header.keys():
        raise EngineFileError(f"{path} is damaged; build it again")
    return header, len(MAGIC) + 8 + length

"""The engine file: a line of identification, what the engine is as JSON, and the engine.

Layout: the magic, the length of the JSON as 8 bytes (little endian), the JSON, the engine. The JSON
holds the engine's length and sha256, so that a file can be judged without loading it into a GPU.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trt_build.errors import BuildError, EngineFileError

MAGIC = b"TRTBUILD1\n"
LONGEST_HEADER = 1 << 20


def make_folder(folder: Path) -> None:
    """Make the folder of engine files if it does not exist, and refuse one that they cannot be written to.

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

    Raises:
        BuildError: it cannot be written.
    """
    digest = hashlib.sha256(engine).hexdigest()
    facts = {"description": description, "bytes": len(engine), "sha256": digest}
    # Without spaces every byte means something: none can change unnoticed.
    header = json.dumps(facts, separators=(",", ":")).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own for each process: two may build the same engine at once.
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
        try:
            with temporary.open("xb") as file:
                file.write(MAGIC + len(header).to_bytes(8, "little") + header + engine)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BuildError(f"{path} cannot be written: {error.strerror}; choose another folder") from error


def read_description(path: Path) -> dict[str, Any]:
    """What a file says of its engine; the engine is not read.

    Raises:
        EngineFileError: the file is missing, damaged, or no engine file.
    """
    description: dict[str, Any] = _read_header(path)[0]["description"]
    return description


def read_engine(path: Path) -> bytes:
    """The engine of a file, whole.

    Raises:
        EngineFileError: the file is missing, damaged, or no engine file.
    """
    header, start = _read_header(path)
    try:
        engine = path.read_bytes()[start:]
    except OSError as error:
        raise EngineFileError(f"{path} cannot be read: {error.strerror}") from error
    if len(engine) != header["bytes"] or hashlib.sha256(engine).hexdigest() != header["sha256"]:
        raise EngineFileError(f"{path} is damaged; build it again")
    return engine


def is_engine_file(path: Path) -> bool:
    """Whether a file begins as those of :func:`write_engine` do, damaged ones included."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
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

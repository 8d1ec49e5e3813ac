"""The store: a folder of engine files, each named after everything that it depends on."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from trt_build.builder import Request, compiled
from trt_build.container import is_engine_file, make_folder, read_description, read_engine, write_engine
from trt_build.errors import BuildError, EngineFileError

_log = logging.getLogger(__name__)
SUFFIX = ".engine"
# Threads that want the same engine wait for the first of them to build it.
_BUILDING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of a store.

    Attributes:
        path: the file.
        request: what its engine is, or None if the file cannot be used.
        problem: why it cannot, or None.
    """

    path: Path
    request: Request | None
    problem: str | None


def engine_path(folder: Path, wanted: Request) -> Path:
    """Where the engine of a request belongs."""
    return folder / f"{wanted.label}-x{wanted.scale}-{wanted.precision}-{wanted.key[:16]}{SUFFIX}"


def stored_engine(path: Path, wanted: Request) -> bytes:
    """Read the engine of a request from a file, which may be for more GPUs than that asks for.

    Raises:
        EngineFileError: the file is missing, damaged, or holds another engine.
    """
    found = _request_of(path)
    if not _serves(found, wanted):
        raise EngineFileError(f"{path} holds {_difference(found, wanted)}; build it again")
    return read_engine(path)


def get_or_build(folder: Path, module: nn.Module, wanted: Request, *, ahead: bool) -> bytes:
    """The engine of a request: from the store, or built and stored.

    Threads wait for each other. Two processes may do this at once: each file appears whole, and one of two
    equal ones stays.

    Args:
        folder: the store.
        module: of the request.
        wanted: the request.
        ahead: build without the GPU.

    Raises:
        BuildError: it cannot be built. A store that cannot be written is a warning.
    """
    with _BUILDING:
        found = _found(folder, wanted)
        if found is not None:
            return found[1]
        engine = _built(module, wanted, ahead=ahead)
        try:
            write_engine(engine_path(folder, wanted), wanted.to_json(), engine)
        except BuildError as error:
            _log.warning("the engine was built but not kept: %s", error)
        return engine


def build_into(folder: Path, module: nn.Module, wanted: Request, *, ahead: bool) -> Path:
    """The file of a store that has the engine of a request; built if there is none.

    The arguments are those of :func:`get_or_build`. While it builds ahead of time, ``torch.cuda`` says to all
    threads of the process that it has the GPU of the request; see :func:`trt_build.build`.

    Raises:
        BuildError: it cannot be built or written.
    """
    with _BUILDING:
        found = _found(folder, wanted)
        if found is not None:
            return found[0]
        path = engine_path(folder, wanted)
        make_folder(folder)
        write_engine(path, wanted.to_json(), _built(module, wanted, ahead=ahead))
        return path


def _found(folder: Path, wanted: Request) -> tuple[Path, bytes] | None:
    for path in _candidates(folder, wanted):
        try:
            return path, stored_engine(path, wanted)
        except EngineFileError as error:
            _log.warning("%s", error)
    return None


def _candidates(folder: Path, wanted: Request) -> Iterator[Path]:
    # Other files are only read if that of this very request is not there or cannot be used.
    own = engine_path(folder, wanted)
    # Path.exists raises an error in a folder that may not be searched.
    if os.path.exists(own):  # noqa: PTH110
        yield own
    for entry in entries(folder):
        if entry.path != own and entry.request is not None and _serves(entry.request, wanted):
            yield entry.path


def _built(module: nn.Module, wanted: Request, *, ahead: bool) -> bytes:
    _log.info("building the TensorRT engine %s for %s", wanted.label, ", ".join(wanted.targets))
    return compiled(module, wanted, ahead=ahead)


def entries(folder: Path) -> list[Entry]:
    """All engine files of a store, by name; an absent store is empty."""
    return [_entry(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]


def _entry(path: Path) -> Entry:
    try:
        return Entry(path=path, request=_request_of(path), problem=None)
    except EngineFileError as error:
        return Entry(path=path, request=None, problem=str(error))


def verify(path: Path) -> Request:
    """Check a file against its own sums, and its name against what it holds.

    Raises:
        EngineFileError: it does not hold what it says.
    """
    found = _request_of(path)
    read_engine(path)
    if path.name != engine_path(path.parent, found).name:
        raise EngineFileError(f"{path} is named after another engine; build it again")
    return found


def clear(folder: Path) -> list[Path]:
    """Delete all engine files of a store and what broken builds left; returns what was deleted.

    Files that other programs call ``.engine`` stay.
    """
    own = [path for path in folder.glob(f"*{SUFFIX}") if is_engine_file(path)]
    found = [*own, *folder.glob(f".*{SUFFIX}.*.partial")]
    try:
        for path in found:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise BuildError(f"{error.filename} cannot be deleted: {error.strerror}") from error
    return sorted(found)


def _request_of(path: Path) -> Request:
    try:
        return Request.from_json(read_description(path))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, BuildError) as error:
        if isinstance(error, EngineFileError):
            raise
        raise EngineFileError(f"{path} is of another version of trt_build; build it again") from error


def _serves(found: Request, wanted: Request) -> bool:
    return set(wanted.targets) <= set(found.targets) and replace(found, targets=wanted.targets) == wanted


def _difference(found: Request, wanted: Request) -> str:
    for name, value in wanted.to_json().items():
        other = found.to_json()[name]
        if other != value:
            return f"an engine with {name} {other}, not {value}"
    return "another engine"

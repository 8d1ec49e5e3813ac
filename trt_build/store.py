"""The store: a folder of engine files, each named after everything that it depends on."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

from torch import nn

from trt_build.builder import compiled
from trt_build.container import is_engine_file, make_folder, read_description, read_engine, write_engine
from trt_build.errors import BuildError, EngineFileError
from trt_build.spec import EngineSpec
from trt_build.whole_file import AnyPath

_log = logging.getLogger(__name__)
SUFFIX = ".engine"
# Held from the search for an engine until it is stored, so that threads that want the same one build it once.
_BUILDING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of a store.

    Attributes:
        path: the file.
        spec: of its engine, or None if the file cannot be used.
        problem: why it cannot, or None.
    """

    path: Path
    spec: EngineSpec | None
    problem: str | None


def engine_path(folder: Path, spec: EngineSpec) -> Path:
    """Return the path that the engine of a specification is written to."""
    return folder / f"{spec.label}-x{spec.scale}-{spec.precision}-{spec.key[:16]}{SUFFIX}"


def stored_engine(path: AnyPath, spec: EngineSpec) -> bytes:
    """Read the engine of a specification from a file, which may be for more GPUs than are specified.

    Raises:
        EngineFileError: the file is missing, damaged, or holds another engine.
    """
    path = Path(path)
    found = _read_spec(path)
    if not _serves(found, spec):
        raise EngineFileError(f"{path} holds {_difference(found, spec)}; build it again")
    return read_engine(path)


def get_or_build(folder: AnyPath, module: nn.Module, spec: EngineSpec) -> bytes:
    """Return an engine for the GPU in this machine: from the store, or built and stored.

    Threads wait for each other. Two processes may do this at once: each file appears whole, and one of two
    equal ones stays.

    Args:
        folder: the store.
        module: the module that was specified.
        spec: of the engine.

    Raises:
        BuildError: it cannot be built. A store that cannot be written is a warning.
    """
    folder = Path(folder)
    with _BUILDING:
        found = _find(folder, spec)
        if found is not None:
            return found[1]
        engine = _built(module, spec, ahead=False)
        try:
            write_engine(engine_path(folder, spec), spec.to_json(), engine)
        except BuildError as error:
            _log.warning("the engine was built but not kept: %s", error)
        return engine


def build_into(folder: AnyPath, module: nn.Module, spec: EngineSpec, *, ahead: bool) -> Path:
    """Return the file of a store that has an engine; it is built if there is none.

    While it builds ahead of time, ``torch.cuda`` says to all threads of the process that it has the specified
    GPU; see :func:`trt_build.build`.

    Args:
        folder: the store.
        module: the module that was specified.
        spec: of the engine.
        ahead: build without the GPU.

    Raises:
        BuildError: it cannot be built or written.
    """
    folder = Path(folder)
    with _BUILDING:
        found = _find(folder, spec)
        if found is not None:
            return found[0]
        path = engine_path(folder, spec)
        make_folder(folder)
        write_engine(path, spec.to_json(), _built(module, spec, ahead=ahead))
        return path


def _find(folder: Path, spec: EngineSpec) -> tuple[Path, bytes] | None:
    """Return the first file that has the engine, and the engine; damaged files are warned of."""
    for path in _candidates(folder, spec):
        try:
            return path, stored_engine(path, spec)
        except EngineFileError as error:
            _log.warning("%s", error)
    return None


def _candidates(folder: Path, spec: EngineSpec) -> Iterator[Path]:
    """Yield the file that is named after the specification, then others that say that they serve it."""
    # Other files are only read if that first one is not there or cannot be used.
    own = engine_path(folder, spec)
    # Path.exists raises an error in a folder that may not be searched.
    if os.path.exists(own):  # noqa: PTH110
        yield own
    for entry in entries(folder):
        if entry.path != own and entry.spec is not None and _serves(entry.spec, spec):
            yield entry.path


def _built(module: nn.Module, spec: EngineSpec, *, ahead: bool) -> bytes:
    _log.info("building the TensorRT engine %s for %s", spec.label, ", ".join(spec.targets))
    return compiled(module, spec, ahead=ahead)


def entries(folder: AnyPath) -> list[Entry]:
    """Return all engine files of a store, sorted by name; an absent store is empty."""
    folder = Path(folder)
    return [_entry(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]


def _entry(path: Path) -> Entry:
    try:
        return Entry(path=path, spec=_read_spec(path), problem=None)
    except EngineFileError as error:
        return Entry(path=path, spec=None, problem=str(error))


def verify(path: AnyPath) -> EngineSpec:
    """Check a file against its own sums, and its name against what it holds.

    Raises:
        EngineFileError: it does not hold what it says.
    """
    path = Path(path)
    found = _read_spec(path)
    read_engine(path)
    if path.name != engine_path(path.parent, found).name:
        raise EngineFileError(f"{path} is named after another engine; build it again")
    return found


def clear(folder: AnyPath) -> list[Path]:
    """Delete all engine files of a store and what broken builds left; returns what was deleted.

    Files that other programs call ``.engine`` stay.

    Raises:
        BuildError: a file cannot be deleted.
    """
    folder = Path(folder)
    own = [path for path in folder.glob(f"*{SUFFIX}") if is_engine_file(path)]
    found = [*own, *folder.glob(f".*{SUFFIX}.*.partial")]
    try:
        for path in found:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise BuildError(f"{error.filename} cannot be deleted: {error.strerror}") from error
    return sorted(found)


def _read_spec(path: Path) -> EngineSpec:
    """Read the specification of a file's engine; the engine is not read."""
    try:
        return EngineSpec.from_json(read_description(path))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, BuildError) as error:
        if isinstance(error, EngineFileError):
            raise
        raise EngineFileError(f"{path} is of another version of trt_build; build it again") from error


def _serves(found: EngineSpec, wanted: EngineSpec) -> bool:
    """Tell whether an engine can be used for another specification: equal, or with more targets."""
    return set(wanted.targets) <= set(found.targets) and replace(found, targets=wanted.targets) == wanted


def _difference(found: EngineSpec, wanted: EngineSpec) -> str:
    """Name an engine by the first attribute that differs from the wanted one."""
    for attribute in fields(wanted):
        if not attribute.compare:
            continue
        has, wants = (spec.to_json()[attribute.name] for spec in (found, wanted))
        if has != wants:
            return f"an engine with {attribute.name} {has}, not {wants}"
    return "another engine"

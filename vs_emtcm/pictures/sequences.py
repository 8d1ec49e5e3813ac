"""Folders and patterns of pictures: which files are read, and the names of their results."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from vs_emtcm.errors import UsageError
from vs_emtcm.pictures.kinds import SUFFIXES, UNREAD_SUFFIXES

_PRINTF = re.compile(r"%(0?)(\d*)d")


def is_pattern(name: str) -> bool:
    """Whether a name is a printf or glob pattern of pictures and not a file."""
    path = Path(name)
    any_suffix = path.suffix.endswith("*") or not path.suffix
    if path.exists() or (path.suffix.lower() not in SUFFIXES and not any_suffix):
        return False
    return _PRINTF.search(name) is not None or glob.has_magic(name)


def names_several(name: str) -> bool:
    """Whether a name stands for several pictures: a folder or a pattern."""
    return Path(name).is_dir() or is_pattern(name)


def find_pictures(name: str) -> list[tuple[Path, int | None]]:
    """The pictures of a folder, a printf pattern ("frame%04d.png") or a glob pattern ("*.png").

    Returns:
        Paths in order, each with its number if the pattern has one.

    Raises:
        UsageError: there are none.
    """
    found: list[tuple[Path, int | None]]
    if Path(name).is_dir():
        files = sorted(Path(name).iterdir())
        # macOS keeps data of its own beside a.png as "._a.png", which is no picture.
        seen = [p for p in files if not p.name.startswith(".")]
        found = [(p, None) for p in seen if p.suffix.lower() in SUFFIXES and p.is_file()]
    elif (match := _PRINTF.search(Path(name).name)) is not None:
        found = _numbered(Path(name), match)
    else:
        files = [Path(p) for p in sorted(glob.glob(name))]
        found = [(p, None) for p in files if p.suffix.lower() in SUFFIXES and p.is_file()]
    if not found:
        accepted = ", ".join(SUFFIXES)
        raise UsageError(f"{name} holds no picture; accepted are {accepted}; give one video at a time")
    return found


def unread_pictures(name: str) -> list[Path]:
    """The pictures of a folder whose kind is not read. A pattern has none: it names its kind itself."""
    if not Path(name).is_dir():
        return []
    files = (p for p in sorted(Path(name).iterdir()) if not p.name.startswith("."))
    return [p for p in files if p.suffix.lower() in UNREAD_SUFFIXES]


def _numbered(pattern: Path, match: re.Match[str]) -> list[tuple[Path, int | None]]:
    zeros, width = match.groups()
    digits = rf"\d{{{width},}}" if zeros and width else r"\d+"
    before, after = pattern.name[: match.start()], pattern.name[match.end() :]
    wanted = re.compile(f"{re.escape(before)}({digits}){re.escape(after)}")
    if not pattern.parent.is_dir():
        return []
    matches = ((p, wanted.fullmatch(p.name)) for p in pattern.parent.iterdir())
    numbers = [(p, int(m.group(1))) for p, m in matches if m]
    return [(p, n) for p, n in sorted(numbers, key=lambda item: item[1])]


def name_results(found: list[tuple[Path, int | None]], target: str) -> list[Path]:
    """The result's path for each picture.

    Args:
        found: what :func:`find_pictures` returned.
        target: a folder (each keeps its name), a printf pattern (the source's numbers, or counted
            from 1) or a name with one ``*`` that stands for the source's name without its suffix.

    Raises:
        UsageError: the target is neither, or two results would have the same name.
    """
    path = Path(target)
    results: list[Path] = []
    for position, (source, number) in enumerate(found, 1):
        if _PRINTF.search(path.name):
            value = position if number is None else number
            results.append(path.with_name(_PRINTF.sub(lambda m: m.group() % value, path.name)))  # noqa: B023
        elif "*" in path.name:
            results.append(path.with_name(path.name.replace("*", source.stem)))
        elif path.is_dir() or not path.suffix or target.endswith(("/", os.sep)):
            results.append(path / source.name)
        else:
            raise UsageError(
                f"{target} is one file for {len(found)} pictures; give a folder, or a pattern such "
                "as out/*.png or out/%05d.png"
            )
    if len(set(results)) != len(results):
        raise UsageError(f"{target} gives several pictures the same name; number them, as with out/%05d.png")
    return results

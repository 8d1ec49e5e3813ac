"""Checks of the file that the command reads."""

from __future__ import annotations

from pathlib import Path

from vs_emtcm.errors import UsageError


def check_source(given: str) -> None:
    """Refuse an input that is not a file with something in it.

    Args:
        given: the argument INPUT.

    Raises:
        UsageError: the input is an address, a pipe, a folder, empty or missing.
    """
    path, accepted = Path(given), "give a video, a picture, a folder of pictures or a pattern of pictures"
    if "://" in given:
        raise UsageError(f"{given} is an address; download it first")
    if str(path) == "-" or path.is_fifo() or path.is_char_device():
        raise UsageError(f"{path} is a pipe; {accepted}")
    if not path.exists():
        raise UsageError(f"{path} does not exist; {accepted}")
    if not path.is_file():
        raise UsageError(f"{path} is not a file; {accepted}")
    if not path.stat().st_size:
        raise UsageError(f"{path} is empty; {accepted}")


def unread(picture: Path) -> str:
    """Return the sentence about a picture in a format that is not read."""
    return f"{picture} is a kind of picture that is not read; convert it to PNG first"

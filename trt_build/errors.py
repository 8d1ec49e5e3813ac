"""The errors of this package."""

from __future__ import annotations


class BuildError(Exception):
    """An engine cannot be built or used; the message says what is wrong and what to do."""


class EngineFileError(BuildError):
    """A file is no engine file of this package, or is damaged, or holds another engine."""


def first_line(error: Exception) -> str:
    """Return the first line of an error's message; PyTorch goes on with how to debug PyTorch."""
    return str(error).strip().partition("\n")[0]

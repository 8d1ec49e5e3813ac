"""What goes wrong in building engines."""

from __future__ import annotations


class BuildError(Exception):
    """An engine cannot be built or used; the message says what is wrong and what to do."""


class EngineFileError(BuildError):
    """A file is no engine of ours, or is damaged, or belongs to something else."""


def first_line(error: Exception) -> str:
    """What an error of PyTorch says; what follows is how to debug PyTorch."""
    return str(error).strip().partition("\n")[0]

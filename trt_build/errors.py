"""What goes wrong in building engines."""

from __future__ import annotations


class BuildError(Exception):
    """An engine cannot be built or used; the message says what is wrong and what to do."""


class EngineFileError(BuildError):
    """A file is no engine of ours, or is damaged, or belongs to something else."""

"""Exit codes and messages of the commands when something goes wrong."""

from __future__ import annotations

from contextlib import AbstractContextManager

from vs_emtcm.console import exit_codes


def training_exit_codes() -> AbstractContextManager[None]:
    """Turn errors into one line on stderr and an exit code; see :func:`vs_emtcm.console.exit_codes`."""
    return exit_codes(
        program="training",
        memory_advice="smaller pictures, or a smaller batch or crop in the recipe, need less",
    )

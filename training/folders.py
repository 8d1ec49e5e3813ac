"""Folders that are written to."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from vs_emtcm.errors import UsageError, reason

# Sub-folder of a run's folder for sample sheets.
SAMPLES = "samples"
# Names that vs_emtcm.output.complete_file gives to the unfinished files of a run or a cache.
PARTIAL = re.compile(r"\.[0-9a-f]{16}\.partial\.(safetensors|csv|png|bin|json)")


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, that are missing.

    Raises:
        UsageError: it cannot be made, such as below a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {reason(error)}; give another folder") from error


def remove_partial_files(folder: Path) -> None:
    """Remove the unfinished files that a killed command left in the folder of a run or a cache.

    No other command may be writing there.
    """
    for place in (folder, folder / SAMPLES):
        if not place.is_dir():
            continue
        for path in place.iterdir():
            if PARTIAL.fullmatch(path.name) and path.is_file():
                # Where a system has no locks, it may be another training's, open and not to be removed.
                with suppress(OSError):
                    path.unlink()

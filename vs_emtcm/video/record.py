"""The record of what segments were made from, without which an interrupted video cannot go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import av

from vs_emtcm import __version__
from vs_emtcm.errors import UsageError
from vs_emtcm.output import complete_file
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.quality import DEFAULT_CRF

# The file in a work folder that holds the record.
RECORD_NAME = "record.json"

# Everything that the segments depend on, by a name for error messages.
type Record = Mapping[str, str | int | float | None]


def describe(source: Path, upscaler: Upscaler, settings: EncoderSettings) -> Record:
    """Return everything that the contents of finished segments depend on, by a name for error messages.

    Threads and tiles are left out: after running out of memory, a run may go on with fewer or smaller ones,
    as long as the encoder's header stays the same.
    """
    found = source.stat()
    return {
        "vs-emtcm": __version__,
        "PyAV": av.__version__,
        "the size of the input": found.st_size,
        "the date of the input": datetime.fromtimestamp(found.st_mtime, UTC).isoformat(),
        **upscaler.provenance,
        "codec": settings.codec,
        "crf": DEFAULT_CRF if settings.crf is None else settings.crf,
        "preset": settings.preset,
        "pixel format": settings.pix_fmt,
        "encoder options": " ".join(f"{name}={value}" for name, value in settings.options) or None,
    }


def check_record(target: Path, folder: Path, record: Record) -> None:
    """Write the record of a work folder, or compare it with that of an earlier run.

    Args:
        target: the video that is being made.
        folder: its work folder; without a record there, segments in it are removed.
        record: everything that the segments depend on.

    Raises:
        UsageError: they differ, or the earlier one cannot be read.
    """
    before = _read_record(folder / RECORD_NAME)
    if before is None:
        # It is not known what segments without a record were made from.
        for file in folder.glob("*.segment"):
            file.unlink()
        with complete_file(folder / RECORD_NAME) as temporary:
            temporary.write_text(json.dumps(dict(record), indent=1))
        return
    for name in {**before, **record}:
        was, now = before.get(name), record.get(name)
        if was != now:
            raise UsageError(
                f"what is done of {target} was made otherwise ({name} was {_shown(was)}, now it is "
                f"{_shown(now)}); repeat the command as it was, or delete the folder {folder} to begin again"
            )


def _read_record(path: Path) -> dict[str, object] | None:
    """Return the record in a file, or None if there is no such file.

    Raises:
        UsageError: the file is damaged.
    """
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise UsageError(f"{path} is damaged; delete the folder {path.parent} to begin again")
    return record


def _shown(value: object) -> str:
    return "its own default" if value is None else f"{value}"

"""The hidden folder beside a video that is being made, which keeps what is done of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from vs_emtcm.errors import EmtcmError, UsageError, WritingError
from vs_emtcm.lock import locked
from vs_emtcm.output import complete_file
from vs_emtcm.video.segment import Segment, read_segment

# Frames of a segment: as many as x264 and x265 put between two key frames anyway.
SEGMENT_FRAMES = 250
# Bytes of the target's name in the folder's; names may have 255.
LONGEST_NAME = 200
RECORD_NAME = "record.json"

type Record = Mapping[str, str | int | float | None]


class WorkFolder:
    """See :func:`work_folder`.

    Attributes:
        path: where it is.
        segment_frames: frames of every segment but the last.
        segments: those that are finished, by number.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.segment_frames = SEGMENT_FRAMES
        self.segments: dict[int, Segment] = {}
        self._before: frozenset[int] = frozenset()

    def load(self) -> None:
        """Find the finished segments; unfinished and damaged ones are removed."""
        for path in self.path.glob("*.partial*"):
            path.unlink()
        for path in self.path.glob("*.segment"):
            if not path.stem.isdecimal():
                continue
            segment = read_segment(path)
            if segment is None:
                path.unlink()
            else:
                self.segments[int(path.stem)] = segment
        self._before = frozenset(self.segments)

    def segment_path(self, number: int) -> Path:
        """The name of a segment."""
        return self.path / f"{number:06}.segment"

    def add(self, number: int, segment: Segment) -> None:
        """Count a segment as finished."""
        self.segments[number] = segment

    def drop_from(self, number: int) -> None:
        """Remove a segment that is not what it should be, and those after it."""
        for later in [n for n in self.segments if n >= number]:
            self.segments.pop(later).path.unlink()

    def was_done(self, frame: int) -> bool:
        """Whether this frame was there before this run."""
        return frame // self.segment_frames in self._before

    @property
    def next_frame(self) -> int:
        """The first frame that is in no finished segment."""
        number = 0
        while number in self.segments:
            number += 1
        return sum(self.segments[n].frames for n in range(number))


@contextmanager
def work_folder(target: Path, record: Record) -> Iterator[WorkFolder]:
    """The work folder of a target: kept after an exception if any segment is finished, else removed.

    Args:
        target: the video that is being made.
        record: everything that the finished segments depend on.

    Raises:
        UsageError: another run uses the folder, or what is in it was made from something else.
    """
    path = folder_path(target)
    with locked(path, f"another run is making {target}; wait for its end"):
        try:
            yield from _used(target, path, record)
        finally:
            # Where nothing could be kept, not even the record.
            with suppress(OSError):
                path.rmdir()


def folder_path(target: Path) -> Path:
    """The folder's name, also of a target whose name is as long as names can be."""
    name = target.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        name = f"{os.fsencode(name)[: LONGEST_NAME - 17].decode(errors='ignore')}-{digest}"
    return target.with_name(f".{name}.resume")


def _used(target: Path, path: Path, record: Record) -> Iterator[WorkFolder]:
    folder = WorkFolder(path)
    _check_record(target, path, record)
    folder.load()
    try:
        yield folder
    except BaseException as error:
        if not folder.segments:
            shutil.rmtree(path, ignore_errors=True)
        elif isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(
                f"interrupted; the same command goes on from frame {folder.next_frame}"
            ) from error
        elif isinstance(error, EmtcmError) and not isinstance(error, WritingError):
            raise type(error)(f"{error} (what is done is kept in {path})") from error
        raise
    shutil.rmtree(path, ignore_errors=True)


def _check_record(target: Path, path: Path, record: Record) -> None:
    before = _read_record(path / RECORD_NAME)
    if before is None:
        # The record is written first: segments without one are of no use.
        for file in path.glob("*.segment"):
            file.unlink()
        with complete_file(path / RECORD_NAME) as temporary:
            temporary.write_text(json.dumps(dict(record), indent=1))
        return
    for name in {**before, **record}:
        was, now = before.get(name), record.get(name)
        if was != now:
            raise UsageError(
                f"what is done of {target} was made otherwise ({name} was {_shown(was)}, now it is "
                f"{_shown(now)}); repeat the command as it was, or delete the folder {path} to begin again"
            )


def _read_record(path: Path) -> dict[str, object] | None:
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

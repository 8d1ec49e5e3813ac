"""The hidden folder beside a video that is being made, which keeps its finished segments."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vs_emtcm.errors import EmtcmError, WritingError
from vs_emtcm.lock import locked
from vs_emtcm.video.record import Record, check_record
from vs_emtcm.video.segment import Segment, read_segment

# Frames per segment: as many as x264 and x265 put between two key frames at most anyway.
SEGMENT_FRAMES = 250
# Bytes of the target's name in the folder's name, at most; file systems allow 255 in all.
LONGEST_NAME = 200


class WorkFolder:
    """A folder of finished segments; :func:`work_folder` opens it.

    Args:
        path: the folder.

    Attributes:
        path: the folder.
        segment_frames: the number of frames in every segment but the last.
        segments: the finished segments by number, counted from zero.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.segment_frames = SEGMENT_FRAMES
        self.segments: dict[int, Segment] = {}
        # The numbers of the segments that an earlier run finished.
        self._before: frozenset[int] = frozenset()

    def load(self) -> None:
        """Find the finished segments, and remove unfinished and damaged ones."""
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
        """Return the path of a segment's file."""
        return self.path / f"{number:06}.segment"

    def add(self, number: int, segment: Segment) -> None:
        """Count a segment as finished."""
        self.segments[number] = segment

    def drop_from(self, number: int) -> None:
        """Remove the segments from ``number`` on."""
        for later in [n for n in self.segments if n >= number]:
            self.segments.pop(later).path.unlink()

    def was_done(self, frame: int) -> bool:
        """Return whether an earlier run finished the segment of this frame."""
        return frame // self.segment_frames in self._before

    @property
    def next_frame(self) -> int:
        """The number of the first frame that is in no finished segment."""
        number = 0
        while number in self.segments:
            number += 1
        return sum(self.segments[n].frames for n in range(number))


@contextmanager
def work_folder(target: Path, record: Record) -> Iterator[WorkFolder]:
    """Open the work folder of a video, and make it if it is missing.

    At the end it is removed; after an exception only if no segment is finished.

    Args:
        target: the video that is being made.
        record: everything that the segments depend on.

    Raises:
        UsageError: another run uses the folder, or its segments were made from something else.
    """
    path = folder_path(target)
    with locked(path, f"another run is making {target}; wait for its end"):
        try:
            yield from _opened(target, path, record)
        finally:
            # An empty folder is left if not even the record could be written.
            with suppress(OSError):
                path.rmdir()


def folder_path(target: Path) -> Path:
    """Return the path of a video's work folder, also for the longest names that file systems allow."""
    name = target.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        name = f"{os.fsencode(name)[: LONGEST_NAME - 17].decode(errors='ignore')}-{digest}"
    return target.with_name(f".{name}.resume")


def _opened(target: Path, path: Path, record: Record) -> Iterator[WorkFolder]:
    """Yield the folder once; afterwards remove it, or add to an exception what is kept."""
    folder = WorkFolder(path)
    check_record(target, path, record)
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

"""What the job needs of a writer, whether or not what it writes outlives an interruption."""

from __future__ import annotations

from typing import Protocol

from vs_emtcm.video.reader import Item


class FrameWriter(Protocol):
    """A video that is being written.

    Attributes:
        warnings: what could not be copied, one sentence each.
        frames: the number of frames written so far.
        resumed: the number of them that were done before this run.
        seconds: time spent encoding and writing so far.
    """

    warnings: list[str]
    frames: int
    resumed: int
    seconds: float

    def write(self, item: Item) -> None:
        """Write a frame, or a packet of another stream."""
        ...

    def finish(self) -> None:
        """Complete the video."""
        ...

    def abandon(self) -> None:
        """Stop after a failure."""
        ...

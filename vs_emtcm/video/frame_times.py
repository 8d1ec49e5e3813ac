"""Frame times in the time base of an encoder."""

from __future__ import annotations

from fractions import Fraction

import av

from vs_emtcm.video.rational import as_fraction


class FrameTimes:
    """Converts the times of frames to another time base; each is later than the one before.

    Args:
        time_base: the time base that the frames get, in seconds.
    """

    def __init__(self, time_base: Fraction) -> None:
        self._time_base = time_base
        self._last_pts: int | None = None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Convert the times of a frame in place, and return the frame."""
        given = as_fraction(frame.time_base)
        assert given is not None
        assert frame.pts is not None
        ticks = given / self._time_base
        pts = round(frame.pts * ticks)
        frame.duration = round(frame.duration * ticks)
        # In a coarse time base, two frames may fall on one tick: the second gets the next one.
        frame.pts = pts if self._last_pts is None else max(pts, self._last_pts + 1)
        frame.time_base = self._time_base
        self._last_pts = frame.pts
        return frame

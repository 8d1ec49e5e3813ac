"""The time of a file: it begins at zero, and goes on where joined recordings start it again."""

from __future__ import annotations

from fractions import Fraction

from av.packet import Packet
from av.stream import Stream

# Decoding times that jump back by more than this start again; by less, they are out of order.
RESTART_SECONDS = 1
# FFmpeg takes a large step back of a clock that may stand at any hour for the end of that clock, so that the
# step arrives as one ahead. Beyond this length (its option dts_delta_threshold) it is taken for a joint.
GAP_SECONDS = 10


class Timeline:
    """The times of all streams of a file, in file order.

    Args:
        rate: frames per second; a packet that does not say how long it lasts lasts for one.
        start: seconds at which the file begins; they are taken off every time.
        discontinuous: whether a large step ahead is a joint as well, as in broadcasts.
    """

    def __init__(self, rate: Fraction, start: Fraction = Fraction(0), *, discontinuous: bool = False) -> None:
        self._discontinuous = discontinuous
        self._rate = rate
        # Seconds added to the times of each stream, and to those of a stream that starts again.
        self._offsets: dict[int, Fraction] = {}
        self._offset = -start
        # Where each stream's decoding and what is shown of all streams end, in seconds.
        self._ends: dict[int, Fraction] = {}
        self._shown_end = Fraction(0)

    def move(self, packet: Packet[Stream]) -> bool:
        """Give a packet its time; True if the file starts its time again here."""
        time_base, index = as_fraction(packet.time_base), packet.stream_index
        if time_base is None:
            return False
        if packet.dts is None:
            # The first of a stream may not say when they are decoded.
            if packet.pts is not None:
                packet.pts += round(self._offsets.get(index, self._offset) / time_base)
            return False
        restarted = False
        began, offset = packet.dts * time_base, self._offset
        shown = began if packet.pts is None else packet.pts * time_base
        if packet.stream.type in ("video", "audio"):
            duration = packet.duration * time_base if packet.duration else 1 / self._rate
            if packet.stream.type == "video" and self._is_of_another_clock(shown - began):
                # Decoders know the order of what has no time; MPEG-1 and MPEG-2 show all a frame later.
                packet.pts, shown = None, began + duration
            # A stream's last packets from before may come after another stream's first from behind.
            offset = self._offsets.get(index, offset)
            end = self._ends.get(index, began + offset)
            if began + offset < end - RESTART_SECONDS:
                restarted = began + self._offset < end - RESTART_SECONDS
                if restarted:
                    self._offset = self._shown_end - shown
                offset = max(self._offset, end - began)
            elif self._is_gap(began + offset):
                restarted = self._is_gap(began + self._offset)
                if restarted:
                    self._offset = self._shown_end - shown
                offset = self._offset
            self._offsets[index], self._ends[index] = offset, began + offset + duration
            self._shown_end = max(self._shown_end, shown + offset + duration)
        shift = round(offset / time_base)
        packet.dts += shift
        if packet.pts is not None:
            packet.pts += shift
        return restarted

    def _is_of_another_clock(self, delay: Fraction) -> bool:
        """Whether no picture is shown so long after its decoding.

        At a joint in a program stream FFmpeg gives the last picture before it the time of the one behind it.
        """
        return self._discontinuous and abs(delay) > GAP_SECONDS

    def _is_gap(self, time: Fraction) -> bool:
        return self._discontinuous and time > self._shown_end + GAP_SECONDS


def as_fraction(value: object) -> Fraction | None:
    """PyAV's rational as a Fraction; None where it is missing or zero."""
    numerator = getattr(value, "numerator", 0)
    denominator = getattr(value, "denominator", 0)
    return Fraction(numerator, denominator) if numerator and denominator else None

"""Continuous times for a file, which begin at zero and go on where joined recordings start again."""

from __future__ import annotations

from fractions import Fraction

from av.packet import Packet
from av.stream import Stream

from vs_emtcm.video.rational import as_fraction

# Decoding times that step back by more than this, in seconds, start again; by less, they are out of order.
RESTART_SECONDS = 1
# In formats whose clock wraps around, FFmpeg takes a large step back for such a wrap and turns it into a step
# ahead. A step ahead of more than this, in seconds, is taken for the start of another recording (FFmpeg's own
# limit, the option dts_delta_threshold).
GAP_SECONDS = 10


class Timeline:
    """Continuous times for the packets of all streams of a file, which are given in file order.

    Args:
        rate: frames per second; a packet without a duration lasts for one frame.
        start: the time at which the file begins, in seconds; it becomes zero.
        discontinuous: whether a large step ahead starts another recording, as in broadcasts.
    """

    def __init__(self, rate: Fraction, start: Fraction = Fraction(0), *, discontinuous: bool = False) -> None:
        self._discontinuous = discontinuous
        self._rate = rate
        # Seconds that are added to the times of each stream, by its index.
        self._offsets: dict[int, Fraction] = {}
        # Seconds that are added in the current recording; a stream may still be in the one before.
        self._offset = -start
        # The end of each stream's last packet by decoding time, in seconds.
        self._ends: dict[int, Fraction] = {}
        # The end of what is shown of all streams, in seconds.
        self._shown_end = Fraction(0)

    def move(self, packet: Packet[Stream]) -> bool:
        """Change the times of a packet in place.

        Returns:
            Whether the times of the file start again at this packet.
        """
        time_base, index = as_fraction(packet.time_base), packet.stream_index
        if time_base is None:
            return False
        if packet.dts is None:
            # The first packets of a stream may have no decoding time.
            if packet.pts is not None:
                packet.pts += round(self._offsets.get(index, self._offset) / time_base)
            return False
        restarted = False
        began, offset = packet.dts * time_base, self._offset
        shown = began if packet.pts is None else packet.pts * time_base
        if packet.stream.type in ("video", "audio"):
            duration = packet.duration * time_base if packet.duration else 1 / self._rate
            if packet.stream.type == "video" and self._is_of_another_clock(shown - began):
                # The decoder finds the time of a picture without one. MPEG-1 and MPEG-2 show each picture a
                # frame after its decoding.
                packet.pts, shown = None, began + duration
            # The last packets of a recording may come after the first ones of the next in another stream.
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
        """Return whether a picture is shown too long after its decoding to belong to the same recording.

        Where recordings are joined in a program stream, FFmpeg gives the last picture of the first recording
        the presentation time of the first picture of the second.

        Args:
            delay: from decoding to presentation, in seconds.
        """
        return self._discontinuous and abs(delay) > GAP_SECONDS

    def _is_gap(self, time: Fraction) -> bool:
        """Return whether a step ahead to ``time``, in seconds, starts another recording."""
        return self._discontinuous and time > self._shown_end + GAP_SECONDS

"""Decoding times for the joined packets of several encoders."""

from __future__ import annotations

from collections.abc import Sequence


def decoding_times(shown: Sequence[int], lead: Sequence[int] = ()) -> list[int]:
    """Return a decoding time (DTS) for each packet of a stream that several encoders made in turn.

    Each encoder begins to decode early enough for its own frames, which may be before the previous encoder
    has ended. The times are therefore those of a single encoder with frame reordering: packet number n is
    decoded when frame number n - delay is shown. They increase, and none is after its presentation time.

    Args:
        shown: presentation times (PTS) in the order of the packets, all different.
        lead: the decoding times of the first encoder that are before all of ``shown``; they are kept.
    """
    order = sorted(shown)
    place = {time: number for number, time in enumerate(order)}
    delay = max((number - place[time] for number, time in enumerate(shown)), default=0)
    first, step = (lead or order)[:1], order[1] - order[0] if delay else 0
    earlier = [first[0] - step * early for early in range(delay - len(lead), 0, -1)]
    return [*earlier, *lead, *order][: len(order)]

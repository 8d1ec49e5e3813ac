"""When packets are decoded, of a stream that several encoders made one after the other."""

from __future__ import annotations

from collections.abc import Sequence


def decoding_times(shown: Sequence[int], lead: Sequence[int] = ()) -> list[int]:
    """A decoding time for each packet: none after its presentation, each after the one before it.

    Each encoder begins to decode early enough for its own frames, which may be before the encoder before it
    has ended. As in the stream of a single encoder, the packet number n is decoded when the frame number
    n - delay is shown.

    Args:
        shown: presentation times in the order of the stream, all different.
        lead: decoding times of the first encoder that lie before all of ``shown``; kept.
    """
    order = sorted(shown)
    place = {time: number for number, time in enumerate(order)}
    needed = max((number - place[time] for number, time in enumerate(shown)), default=0)
    first, step = (lead or order)[:1], order[1] - order[0] if needed else 0
    earlier = [first[0] - step * early for early in range(needed - len(lead), 0, -1)]
    return [*earlier, *lead, *order][: len(order)]

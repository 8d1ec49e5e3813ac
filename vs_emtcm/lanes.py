"""Lanes: how many frames are worked on at once, and what works on them."""

from __future__ import annotations

import logging

from vs_emtcm.errors import EmtcmError, UsageError
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.whole import is_whole

_log = logging.getLogger(__name__)
# Half of the streams that PyTorch has for a GPU: two filters may use as many.
MAX_LANES = 16


def default_lanes(device_type: str) -> int:
    """Lanes that keep a device busy: a CPU works on one frame with all cores, a GPU waits on copies."""
    return 1 if device_type == "cpu" else 3


def check_lanes(lanes: int | None) -> None:
    """Refuse a number of lanes that no device has.

    Raises:
        UsageError: it is neither None nor 1 to :data:`MAX_LANES`.
    """
    if lanes is not None and (not is_whole(lanes) or not 1 <= lanes <= MAX_LANES):
        raise UsageError(f"lanes is {lanes!r}; accepted are None and 1 to {MAX_LANES}")


def make_lanes(upscaler: Upscaler, lanes: int | None, frames: int | None) -> list[Upscaler]:
    """The upscalers of as many lanes as were asked for, or as are good for the device and fit into it.

    Args:
        upscaler: the first.
        lanes: how many; None chooses.
        frames: that there are to work on, if that is known.

    Raises:
        UsageError: see :func:`check_lanes`.
        EmtcmError: those that were asked for do not fit.
    """
    check_lanes(lanes)
    count = lanes or default_lanes(upscaler.engine.device.type)
    count = count if frames is None else min(count, frames)
    upscalers = [upscaler]
    try:
        while len(upscalers) < count:
            upscalers.append(upscaler.another())
    except EmtcmError as error:
        if lanes is not None:
            raise
        _log.warning("emtcm: %s; going on with %d", error, len(upscalers))
    return upscalers

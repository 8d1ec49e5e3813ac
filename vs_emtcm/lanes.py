"""Lanes: Upscalers that work on several frames at once."""

from __future__ import annotations

import logging

from vs_emtcm.errors import EmtcmError, UsageError
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.whole import is_whole

_log = logging.getLogger(__name__)
# Most lanes of one filter or video: half of the 32 streams in PyTorch's pool for a GPU, so that two filters
# can have as many.
MAX_LANES = 16


def default_lanes(device_type: str) -> int:
    """Return how many lanes keep a device busy.

    A CPU works on one frame with all its cores; a GPU would wait while one frame is copied.

    Args:
        device_type: PyTorch's, "cpu" or "cuda".
    """
    return 1 if device_type == "cpu" else 3


def check_lanes(lanes: int | None) -> None:
    """Check the ``lanes`` argument.

    Raises:
        UsageError: it is neither None nor 1 to :data:`MAX_LANES`.
    """
    if lanes is not None and (not is_whole(lanes) or not 1 <= lanes <= MAX_LANES):
        raise UsageError(f"lanes is {lanes!r}; accepted are None and 1 to {MAX_LANES}")


def make_lanes(upscaler: Upscaler, lanes: int | None, frames: int | None) -> list[Upscaler]:
    """Make one Upscaler per lane, no more than there are frames.

    Args:
        upscaler: the one of the first lane.
        lanes: how many; None is as many as keep the device busy and fit into its memory.
        frames: number of frames to upscale, or None if it is unknown.

    Raises:
        UsageError: see :func:`check_lanes`.
        EmtcmError: the device has no room for the number that was asked for.
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

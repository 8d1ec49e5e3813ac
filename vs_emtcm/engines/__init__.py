"""Engines, which run the network on a device, and the choice of one."""

from vs_emtcm.engines.choice import (
    BACKENDS,
    Availability,
    availabilities,
    choose_device,
    create_engine,
)
from vs_emtcm.engines.engine import Engine

__all__ = ["BACKENDS", "Availability", "Engine", "availabilities", "choose_device", "create_engine"]

"""EMTCM: real-time 2x, 3x and 4x upscaling of video and pictures.

Everything is loaded when first used: importing this package alone loads neither PyTorch nor
VapourSynth.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vs_emtcm.errors import EmtcmError, UsageError
    from vs_emtcm.filter import emtcm
    from vs_emtcm.formats import Color, PixelFormat, Plane
    from vs_emtcm.upscaler import Upscaler

__version__ = "0.1.0"
__all__ = ["Color", "EmtcmError", "PixelFormat", "Plane", "Upscaler", "UsageError", "__version__", "emtcm"]

_HOMES = {
    "Color": "formats",
    "EmtcmError": "errors",
    "PixelFormat": "formats",
    "Plane": "formats",
    "Upscaler": "upscaler",
    "UsageError": "errors",
    "emtcm": "filter",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# A type checker would take any name for one of the package's.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

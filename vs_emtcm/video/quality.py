"""How each encoder is told a constant quality; left to itself it may keep to a very low bit rate."""

from __future__ import annotations

import math
from collections.abc import Mapping

from vs_emtcm.errors import UsageError

DEFAULT_CRF = 18.0

# The highest constant rate factor; FFmpeg takes any number and the encoder its highest.
HIGHEST_CRF = {
    "libx264": 51,
    "libx264rgb": 51,
    "libx265": 51,
    "libvpx": 63,
    "libvpx-vp9": 63,
    "libaom-av1": 63,
    "libsvtav1": 63,
    "av1_nvenc": 63,
}
# Of graphics cards; 0 is "automatic" there.
LOWEST_OF_HARDWARE, HIGHEST_OF_HARDWARE = 1, 51

# What encoders of graphics cards have instead, by what their names end with.
HARDWARE_QUALITY: Mapping[str, Mapping[str, str]] = {
    # Higher is better there, up to 100.
    "mjpeg_qsv": {},
    "_nvenc": {"rc": "vbr", "cq": "{crf:g}", "b": "0"},
    "_qsv": {"global_quality": "{crf:.0f}"},
    "av1_amf": {"rc": "qvbr", "qvbr_quality_level": "{crf:.0f}"},
    "_amf": {"rc": "cqp", "qp_i": "{crf:.0f}", "qp_p": "{crf:.0f}"},
}

# FFmpeg's own lossy encoders have a quantiser.
QUANTISER_ENCODERS = frozenset(
    {
        *("mpeg4", "msmpeg4", "msmpeg4v2", "mpeg2video", "mpeg1video", "h263", "h263p", "rv10", "rv20"),
        *("h261", "flv", "wmv1", "wmv2", "mjpeg", "snow", "speedhq"),
    }
)
# Whoever gives one of these says himself how good or how large the result is to be.
RATE_OPTIONS = frozenset(
    {
        *("b", "crf", "qp", "cq", "rc", "global_quality", "lossless", "qp_i", "qp_p"),
        *("qvbr_quality_level", "quantizer"),
    }
)
DEFAULT_QUANTISER = 2
FF_QP2LAMBDA = 118
# VP8 keeps to a bit rate all the same: one that no film needs.
LIBVPX_RATE = "1000M"


def quality_options(codec: str, known: frozenset[str], crf: float | None) -> dict[str, str]:
    """The options for a constant quality.

    Args:
        codec: FFmpeg's name of the encoder.
        known: names of its own options.
        crf: constant rate factor; None is 18 where the encoder has it, else what loses little.
    """
    value = DEFAULT_CRF if crf is None else crf
    if "crf" in known:
        rate = {"b": LIBVPX_RATE} if codec == "libvpx" else {}
        return {"crf": f"{value:g}", **rate}
    if codec in QUANTISER_ENCODERS:
        return {"flags": "+qscale", "global_quality": str(DEFAULT_QUANTISER * FF_QP2LAMBDA)}
    return {name: text.format(crf=value) for name, text in _of_hardware(codec).items()}


def check_crf(given: str, codec: str, known: frozenset[str], crf: float) -> None:
    """Refuse a constant rate factor that the encoder does not take; see :func:`quality_options`.

    Args:
        given: what the user calls the encoder.
        codec, known, crf: see there.

    Raises:
        UsageError: it has none, or another range.
    """
    hardware = bool(_of_hardware(codec))
    if "crf" not in known and not hardware:
        raise UsageError(f"{given} has no crf; leave --crf out")
    lowest = LOWEST_OF_HARDWARE if hardware else 0
    highest = HIGHEST_CRF.get(codec, HIGHEST_OF_HARDWARE if hardware else math.inf)
    if not lowest <= crf <= highest:
        accepted = "from 0" if highest == math.inf else f"{lowest} to {highest}"
        raise UsageError(f"crf is {crf:g}; {given} takes {accepted}")


def _of_hardware(codec: str) -> Mapping[str, str]:
    return next((options for ending, options in HARDWARE_QUALITY.items() if codec.endswith(ending)), {})

"""Options for a constant quality, by encoder.

Without them, many encoders keep to a bit rate that is far too low for video of this size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from vs_emtcm.errors import UsageError

# The constant rate factor of encoders that have one.
DEFAULT_CRF = 18.0

# The highest constant rate factor by encoder; FFmpeg accepts any number, and the encoder clips it.
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
# The range of the quality of hardware encoders, where 0 means "automatic".
LOWEST_OF_HARDWARE = 1
HIGHEST_OF_HARDWARE = 51

# The options of hardware encoders for a quality, by the ending of their names; the first that fits counts.
HARDWARE_QUALITY: Mapping[str, Mapping[str, str]] = {
    # Its quality, up to 100 and higher for better, is no constant rate factor.
    "mjpeg_qsv": {},
    "_nvenc": {"rc": "vbr", "cq": "{crf:g}", "b": "0"},
    "_qsv": {"global_quality": "{crf:.0f}"},
    "av1_amf": {"rc": "qvbr", "qvbr_quality_level": "{crf:.0f}"},
    "_amf": {"rc": "cqp", "qp_i": "{crf:.0f}", "qp_p": "{crf:.0f}"},
}

# FFmpeg's own lossy encoders, whose quality is a constant quantiser.
QUANTISER_ENCODERS = frozenset(
    {
        *("mpeg4", "msmpeg4", "msmpeg4v2", "mpeg2video", "mpeg1video", "h263", "h263p", "rv10", "rv20"),
        *("h261", "flv", "wmv1", "wmv2", "mjpeg", "snow", "speedhq"),
    }
)
# Options by which a user sets a quality or a bit rate, so that none is set here.
RATE_OPTIONS = frozenset(
    {
        *("b", "crf", "qp", "cq", "rc", "global_quality", "lossless", "qp_i", "qp_p"),
        *("qvbr_quality_level", "quantizer"),
    }
)
# The quantiser of those encoders, from 1 (best) to 31.
DEFAULT_QUANTISER = 2
# FFmpeg's factor from a quantiser to "global_quality".
FF_QP2LAMBDA = 118
# VP8 keeps to a bit rate besides the constant rate factor: one that no film needs.
LIBVPX_RATE = "1000M"


def quality_options(codec: str, known: frozenset[str], crf: float | None) -> dict[str, str]:
    """Return the options that set a constant quality; empty if nothing is known of the encoder.

    Args:
        codec: FFmpeg's name of the encoder.
        known: the names of the encoder's private options.
        crf: constant rate factor; None is 18 where the encoder has one, else a quality that loses little.
    """
    value = DEFAULT_CRF if crf is None else crf
    if "crf" in known:
        rate = {"b": LIBVPX_RATE} if codec == "libvpx" else {}
        return {"crf": f"{value:g}", **rate}
    if codec in QUANTISER_ENCODERS:
        return {"flags": "+qscale", "global_quality": str(DEFAULT_QUANTISER * FF_QP2LAMBDA)}
    return {name: text.format(crf=value) for name, text in _hardware_options(codec).items()}


def check_crf(given: str, codec: str, known: frozenset[str], crf: float) -> None:
    """Refuse a constant rate factor that the encoder does not take; see :func:`quality_options`.

    Args:
        given: the user's name of the encoder, such as "h264".
        codec: FFmpeg's name of it, such as "libx264".
        known: the names of the encoder's private options.
        crf: constant rate factor.

    Raises:
        UsageError: the encoder has no constant rate factor, or another range of it.
    """
    hardware = bool(_hardware_options(codec))
    if "crf" not in known and not hardware:
        raise UsageError(f"{given} has no crf; leave --crf out")
    lowest = LOWEST_OF_HARDWARE if hardware else 0
    highest = HIGHEST_CRF.get(codec, HIGHEST_OF_HARDWARE if hardware else math.inf)
    if not lowest <= crf <= highest:
        accepted = "from 0" if highest == math.inf else f"{lowest} to {highest}"
        raise UsageError(f"crf is {crf:g}; {given} takes {accepted}")


def _hardware_options(codec: str) -> Mapping[str, str]:
    """Return the options of a hardware encoder for a quality; empty for any other encoder."""
    return next((options for ending, options in HARDWARE_QUALITY.items() if codec.endswith(ending)), {})

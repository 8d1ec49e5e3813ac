"""Static HDR metadata: the mastering display (SMPTE ST 2086) and content light level (CTA-861.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

import av
from av.sidedata.sidedata import Type

# By encoder: the option that holds its own parameters, and those for mastering display and light level.
ENCODERS = {
    "libx264": ("x264-params", "mastering-display", "cll"),
    "libx265": ("x265-params", "master-display", "max-cll"),
}
# Both encoders take chromaticities in units of 0.00002 ...
CHROMATICITY = 50_000
# ... and luminances in units of 0.0001 cd/m2.
LUMINANCE = 10_000


@dataclass(frozen=True, kw_only=True)
class StaticHdr:
    """Static HDR metadata as parameters of x264 and x265.

    Attributes:
        mastering_display: "G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)", or None.
        light_level: "MaxCLL,MaxFALL" in cd/m2, or None.
    """

    mastering_display: str | None
    light_level: str | None

    def encoder_options(self, codec: str) -> dict[str, str]:
        """Return the options that make the encoder ``codec`` write the metadata; empty if it cannot."""
        if codec not in ENCODERS:
            return {}
        option, display, light = ENCODERS[codec]
        values = {display: self.mastering_display, light: self.light_level}
        parameters = ":".join(f"{name}={value}" for name, value in values.items() if value)
        return {option: parameters} if parameters else {}


def static_hdr(frame: av.VideoFrame) -> StaticHdr | None:
    """Return the static HDR metadata of a decoded frame, or None if it has none."""
    data = frame.side_data
    display = light = None
    if Type.MASTERING_DISPLAY_METADATA in data:
        display = mastering_display(bytes(data[Type.MASTERING_DISPLAY_METADATA]))
    if Type.CONTENT_LIGHT_LEVEL in data:
        # AVContentLightMetadata: MaxCLL and MaxFALL, unsigned 32-bit integers.
        light = "{},{}".format(*struct.unpack_from("<2I", bytes(data[Type.CONTENT_LIGHT_LEVEL])))
    if display is None and light is None:
        return None
    return StaticHdr(mastering_display=display, light_level=light)


def mastering_display(data: bytes) -> str | None:
    """Write an AVMasteringDisplayMetadata as x264 and x265 take it.

    Args:
        data: ten rationals (x and y of red, green, blue and white, lowest and highest luminance in cd/m2)
            and two flags, all of them 32-bit integers.

    Returns:
        "G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)", or None if primaries or luminance are missing.
    """
    numbers = struct.unpack_from("<22i", data)
    has_primaries, has_luminance = numbers[20:]
    if not (has_primaries and has_luminance) or 0 in numbers[1:20:2]:
        return None
    values = [Fraction(numbers[i], numbers[i + 1]) for i in range(0, 20, 2)]
    red, green, blue, white = (
        f"({round(x * CHROMATICITY)},{round(y * CHROMATICITY)})"
        for x, y in zip(values[0:8:2], values[1:8:2], strict=True)
    )
    darkest, brightest = (round(v * LUMINANCE) for v in values[8:])
    return f"G{green}B{blue}R{red}WP{white}L({brightest},{darkest})"

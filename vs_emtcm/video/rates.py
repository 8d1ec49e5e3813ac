"""Frame rates and time bases that encoders can write."""

from __future__ import annotations

from fractions import Fraction

from av.codec import Codec

from vs_emtcm.errors import UsageError

# Encoders whose streams have a frame rate, one of MPEG_RATES, and no time base.
RATE_ENCODERS = frozenset({"mpeg1video", "mpeg2video"})
# Frame rates of ISO/IEC 13818-2, table 6-4.
MPEG_RATES = (
    *(Fraction(rate) for rate in (24, 25, 30, 50, 60)),
    *(Fraction(rate * 1000, 1001) for rate in (24, 30, 60)),
)
# The relative error of a rate that was rounded, at most: half the step from 23.976 to 24.
ROUNDING_ERROR = 0.0005
# Ticks per second of MPEG-4, where a time base has 16 bits: a multiple of the usual frame rates.
MPEG4_TICKS = 60_000


def counted_rate(codec: Codec, rate: Fraction) -> Fraction:
    """Return the frame rate that the encoder writes for frames of this average rate.

    Raises:
        UsageError: the frames come faster than the encoder can count them.
    """
    if codec.name not in RATE_ENCODERS:
        return rate
    nearest = min(MPEG_RATES, key=lambda each: abs(each - rate))
    if abs(nearest / rate - 1) < ROUNDING_ERROR:
        return nearest
    if rate > max(MPEG_RATES):
        raise UsageError(
            f"{codec.name} counts {max(MPEG_RATES)} frames a second at most, and the source has "
            f"{float(rate):g}; use another --codec"
        )
    # At a lower rate, two frames would have one number.
    return min(each for each in MPEG_RATES if each > rate)


def encoder_time_base(codec: Codec, container: str, rate: Fraction, source: Fraction) -> Fraction:
    """Return the time base, in seconds, in which frames are encoded.

    Args:
        codec: the encoder.
        container: FFmpeg's name of the container, such as "matroska".
        rate: the frame rate, see :func:`counted_rate`.
        source: the time base of the source.
    """
    # AVI counts frames: in a finer time base, players would take the gaps for frames.
    counts_frames = container == "avi" or codec.name in RATE_ENCODERS
    time_base = 1 / rate if counts_frames else source
    if codec.name == "mpeg4" and time_base.denominator > MPEG4_TICKS:
        return Fraction(1, MPEG4_TICKS)
    return time_base

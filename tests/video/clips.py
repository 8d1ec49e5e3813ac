"""What tests of whole videos have in common: two ways to write them, and what is found in them."""

from fractions import Fraction
from pathlib import Path

import av

from vs_emtcm.video import VideoSettings
from vs_emtcm.video.encoder import EncoderSettings

LOSSLESS = VideoSettings(encoder=EncoderSettings(codec="ffv1"))
FAST = VideoSettings(encoder=EncoderSettings(preset="ultrafast"))


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def times(path: Path) -> list[Fraction]:
    return [f.pts * Fraction(f.time_base.numerator, f.time_base.denominator) for f in decoded(path)]


def packets(path: Path, kind: str) -> list[tuple[bytes, Fraction]]:
    with av.open(str(path)) as container:
        stream = container.streams.best(kind)
        base = Fraction(stream.time_base.numerator, stream.time_base.denominator)
        return [(bytes(p), p.pts * base) for p in container.demux(stream) if p.size]

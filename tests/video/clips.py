"""What tests of whole videos have in common: two ways to write them, and what is found in them."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vs_emtcm.video import VideoSettings
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.reader import VideoReader

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


def joined(path: Path, seconds: float) -> Path:
    """A transport stream, and behind it the same again whose times begin so many seconds after the first."""
    second, both = path.with_name("second.ts"), path.with_name("joined.ts")
    with av.open(str(path)) as source, av.open(str(second), "w") as container:
        streams = {s.index: container.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                packet.pts += round(seconds * 90000)
                packet.dts += round(seconds * 90000)
                container.mux(packet)
    both.write_bytes(path.read_bytes() + second.read_bytes())
    return both


def frames_of(reader: VideoReader) -> list[av.VideoFrame]:
    return [item for item in reader.items() if isinstance(item, av.VideoFrame)]


def tagged(source: Path, target: Path, **tags: str) -> Path:
    """The video of a file in another one, with tags of its stream."""
    with av.open(str(source)) as film, av.open(str(target), "w") as container:
        stream = container.add_stream_from_template(film.streams.video[0])
        stream.metadata.update(tags)
        for packet in film.demux():
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    return target


def with_rate(
    path: Path, codec: str, rate: Fraction, *, pix_fmt: str = "yuv420p", format: str | None = None
) -> Path:
    """Twelve frames of a constant rate, no two of them alike; ``format`` overrides the suffix."""
    with av.open(str(path), "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 64, pix_fmt
        stream.codec_context.time_base = 1 / rate
        for number in range(12):
            frame = av.VideoFrame(64, 64, pix_fmt)
            for plane in frame.planes:
                np.frombuffer(plane, np.uint8)[:] = 20 * number
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path

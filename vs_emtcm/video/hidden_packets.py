"""Packets that the edit list of an MP4 file hides, copied into a container that has no edit lists.

A film that was cut without encoding it again has packets before its start, whose frames or samples players
decode and do not show. FFmpeg marks them: ``packet.is_discard``.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import islice, takewhile
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from vs_emtcm.video.rational import as_fraction

# The last hidden packets of audio that are kept: encoders put up to two before the start, and decoders take
# from them what the next one builds upon. Codecs that need more say so (Opus: 80 ms, RFC 7845).
PRIMING_PACKETS = 2
# Packets in the file from which FFmpeg learns the padding: the kept ones, and more than a few that are heard.
PACKETS_OF_TEMPLATE = 32
# Containers with edit lists; Opus is in the first alone, some kinds of PCM are in the second alone.
EDITABLE = ("mp4", "mov")


def hidden_timestamps(stream: Stream) -> tuple[int, ...]:
    """Return the times of the hidden packets that a stream begins with, in its time base.

    FFmpeg's index of a file may grow while the file is read: call this before.
    """
    entries = takewhile(lambda entry: entry.is_discard, stream.index_entries)
    return tuple(entry.timestamp for entry in entries)


class HiddenPackets:
    """Tells which packets of a stream are left out of a container without edit lists.

    Args:
        path: the file of the stream.
        stream: a stream of audio or subtitles that is copied.
        hidden: its :func:`hidden_timestamps`.
    """

    def __init__(self, path: Path, stream: Stream, hidden: Sequence[int]) -> None:
        self._path = path
        self._stream = stream
        self._hidden = hidden
        # The packets before the start that are left out; and those that were met.
        self._surplus = self._count_surplus()
        self._met = 0
        self._begun = False

    def leaves_out(self, packet: Packet[Stream]) -> bool:
        """Return whether a packet is left out; takes all packets of the stream in file order."""
        if not packet.is_discard:
            self._begun = True
            return False
        self._met += 1
        return self._begun or self._met <= self._surplus

    @contextmanager
    def template(self) -> Iterator[Stream]:
        """Yield a stream like the one that is copied, with the padding of the packets that are kept.

        The padding is the number of samples before the start, which players skip if the container states it.
        """
        if not self._surplus or self._stream.type != "audio":
            yield self._stream
            return
        container = self._open_template()
        if container is None:
            yield self._stream
            return
        with container:
            yield container.streams[0]

    def _open_template(self) -> InputContainer | None:
        for format in EDITABLE:
            with suppress(FFmpegError, ValueError):
                return av.open(self._shortened(format), "r")
        return None

    def _count_surplus(self) -> int:
        hidden = self._hidden
        if not hidden or self._stream.type != "audio":
            return len(hidden)
        context, time_base = self._stream.codec_context, as_fraction(self._stream.time_base)
        assert isinstance(context, AudioCodecContext)
        assert time_base is not None
        priming = Fraction(context.seek_preroll, context.sample_rate or 1)
        # A packet ends where the next one begins.
        too_early = sum(end * time_base <= -priming for end in hidden[1:])
        return max(0, min(too_early, len(hidden) - PRIMING_PACKETS))

    def _shortened(self, format: str) -> io.BytesIO:
        """Return a file that begins with the packets that are kept.

        PyAV cannot set the padding of a stream, but FFmpeg finds it in such a file.
        """
        file = io.BytesIO()
        with (
            av.open(f"file:{self._path}") as source,
            av.open(file, "w", format=format) as container,
        ):
            stream = source.streams[self._stream.index]
            target = container.add_stream_from_template(stream, opaque=True)
            target.time_base = stream.time_base
            first = self._surplus
            for packet in islice(source.demux(stream), first, first + PACKETS_OF_TEMPLATE):
                if packet.size:
                    packet.stream = target
                    container.mux(packet)
        file.seek(0)
        return file

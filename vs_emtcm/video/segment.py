"""The file of a segment: a part of an encoded video stream, with checksums that show whether it is complete.

Packets are stored as the encoder made them, with their times in its time base. A container would round the
times, or drop those of decoding.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, get_args

from av.packet import Packet, PacketSideData, PktSideDataT
from av.stream import Stream
from av.video.stream import VideoStream

from vs_emtcm.errors import EmtcmError
from vs_emtcm.output import sync_folder
from vs_emtcm.video.ffmpeg import NO_TIME

# The first bytes of the file, with the version of the format.
MAGIC = b"EMTCM segment 1\n"
# Appended to the name of a file that is not complete.
PARTIAL = ".partial"

# The file is a sequence of records, all numbers little-endian. A record is its kind, the length of its
# content, the content, and a CRC-32 of those three.
RECORD = struct.Struct("<cI")
CHECKSUM = struct.Struct("<I")
# The kinds of records: one head, any number of packets, one end.
HEAD = b"H"
PACKET = b"P"
END = b"E"
# A head: numerator and denominator of the time base; the encoder's header follows.
HEAD_FIELDS = struct.Struct("<qq")
# A packet: presentation time, decoding time, duration, whether it is a key frame, and the number of pieces of
# side data; these and the data of the packet follow.
PACKET_FIELDS = struct.Struct("<qqq?B")
# A piece of side data: its type and its size; its bytes follow.
SIDE_FIELDS = struct.Struct("<HI")
# An end: the number of packets, the number of frames, and the presentation time of the last frame.
END_FIELDS = struct.Struct("<qqq")


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A finished part of an encoded video stream.

    Attributes:
        path: the file.
        extradata: the encoder's header.
        frames: the number of frames that were encoded.
        last_pts: the presentation time of the last frame, in the encoder's time base.
        shown: the presentation time of every packet, in the order of the packets.
    """

    path: Path
    extradata: bytes
    frames: int
    last_pts: int
    shown: tuple[int, ...]


class SegmentFile:
    """A segment that is being written; its file gets its name when it is complete and on the disk.

    Args:
        path: the file.
        time_base: the time base of the encoder.
        extradata: the encoder's header.

    Raises:
        OSError: the file cannot be written; so do the methods.
    """

    def __init__(self, path: Path, time_base: Fraction, extradata: bytes) -> None:
        self._path = path
        self._extradata = extradata
        self._partial = path.with_name(path.name + PARTIAL)
        self._file = self._partial.open("wb")
        self._shown: list[int] = []
        self._file.write(MAGIC)
        self._write(HEAD, HEAD_FIELDS.pack(time_base.numerator, time_base.denominator) + extradata)

    def write(self, packet: Packet[VideoStream]) -> None:
        """Add a packet; its times are in the encoder's time base."""
        pieces = list(packet.iter_sidedata())
        times = [NO_TIME if x is None else x for x in (packet.pts, packet.dts, packet.duration)]
        parts = [PACKET_FIELDS.pack(*times, packet.is_keyframe, len(pieces))]
        for piece in pieces:
            content = bytes(piece)
            parts += [SIDE_FIELDS.pack(_side_types().index(piece.data_type), len(content)), content]
        self._write(PACKET, b"".join([*parts, bytes(packet)]))
        self._shown.append(times[0])

    def finish(self, frames: int, last_pts: int) -> Segment:
        """Complete the file.

        Args:
            frames: the number of frames that were encoded.
            last_pts: the presentation time of the last of them.
        """
        self._write(END, END_FIELDS.pack(len(self._shown), frames, last_pts))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.replace(self._path)
        sync_folder(self._path.parent)
        return Segment(
            path=self._path,
            extradata=self._extradata,
            frames=frames,
            last_pts=last_pts,
            shown=tuple(self._shown),
        )

    def abandon(self) -> None:
        """Close and remove the file as it is, after a failure."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _write(self, kind: bytes, content: bytes) -> None:
        record = RECORD.pack(kind, len(content)) + content
        self._file.write(record + CHECKSUM.pack(zlib.crc32(record)))


def read_segment(path: Path) -> Segment | None:
    """Return the segment in a file, or None if it is damaged or incomplete.

    Raises:
        OSError: the file cannot be read.
    """
    extradata, shown = b"", []
    with path.open("rb") as file:
        for kind, content in _records(file):
            if kind == HEAD:
                extradata = content[HEAD_FIELDS.size :]
            elif kind == PACKET:
                shown.append(PACKET_FIELDS.unpack_from(content)[0])
            else:
                packets, frames, last_pts = END_FIELDS.unpack(content)
                if len(shown) != packets:
                    return None
                return Segment(
                    path=path, extradata=extradata, frames=frames, last_pts=last_pts, shown=tuple(shown)
                )
    return None


def read_packets(segment: Segment) -> Iterator[Packet[Stream]]:
    """Yield the packets of a segment, with times in the encoder's time base.

    Raises:
        EmtcmError: the file is damaged.
        OSError: the file cannot be read.
    """
    time_base = Fraction(1)
    with segment.path.open("rb") as file:
        for kind, content in _records(file):
            if kind == HEAD:
                time_base = Fraction(*HEAD_FIELDS.unpack_from(content))
            elif kind == PACKET:
                packet = _packet(content)
                packet.time_base = time_base
                yield packet
            else:
                return
    raise EmtcmError(f"{segment.path} was damaged since it was written; the same command makes it again")


def _records(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of every record of a file, and stop at the first that is damaged or missing."""
    if file.read(len(MAGIC)) != MAGIC:
        return
    expected: tuple[bytes, ...] = (HEAD,)
    while len(head := file.read(RECORD.size)) == RECORD.size:
        kind, size = RECORD.unpack(head)
        # Even if the size is damaged, no more is read than the file has.
        content = file.read(size)
        checksum = CHECKSUM.pack(zlib.crc32(head + content))
        if kind not in expected or len(content) != size or file.read(CHECKSUM.size) != checksum:
            return
        yield kind, content
        expected = PACKET, END


def _packet(content: bytes) -> Packet[Stream]:
    """Return the packet in the content of a record."""
    *times, key_frame, pieces = PACKET_FIELDS.unpack_from(content)
    place = PACKET_FIELDS.size
    side: list[tuple[int, bytes]] = []
    for _ in range(pieces):
        kind, size = SIDE_FIELDS.unpack_from(content, place)
        place += SIDE_FIELDS.size
        side.append((kind, content[place : place + size]))
        place += size
    packet: Packet[Stream] = Packet(content[place:])
    packet.pts, packet.dts, packet.duration = (None if x == NO_TIME else x for x in times)
    packet.is_keyframe = key_frame
    for kind, data in side:
        # PyAV's stubs leave the arguments out.
        piece = PacketSideData(kind, len(data))  # type: ignore[call-arg]
        if data:
            piece.update(data)
        packet.set_sidedata(piece)
    return packet


def _side_types() -> tuple[str, ...]:
    """Return PyAV's names of the types of side data, in the order of their numbers."""
    return get_args(PktSideDataT)

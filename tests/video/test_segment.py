"""Parts of a stream come back as they were, or not at all."""

from fractions import Fraction

import av
import pytest
from av.packet import PacketSideData

from vs_emtcm import EmtcmError
from vs_emtcm.video.segment import (
    CHECKSUM,
    PACKET_FIELDS,
    RECORD,
    SegmentFile,
    read_packets,
    read_segment,
)

BLOCK_ADDITIONAL = 15


def make_packets():
    packets = []
    for pts, dts, data in ((3, -1, b"key"), (None, 0, b""), (5, None, bytes(range(256)) * 40)):
        packet = av.Packet(data)
        packet.pts, packet.dts, packet.duration, packet.is_keyframe = pts, dts, 2, data == b"key"
        packets.append(packet)
    opacity = PacketSideData(BLOCK_ADDITIONAL, 3)
    opacity.update(b"abc")
    packets[0].set_sidedata(opacity)
    return packets


def write(path):
    file = SegmentFile(path, Fraction(1, 90000), b"header")
    for packet in make_packets():
        file.write(packet)
    return file.finish(3, 5)


def shown(packet):
    side = [(piece.data_type, bytes(piece)) for piece in packet.iter_sidedata()]
    return bytes(packet), packet.pts, packet.dts, packet.duration, packet.is_keyframe, side


def test_packets_come_back_as_they_were(tmp_path):
    segment = write(tmp_path / "0.segment")
    assert segment == read_segment(tmp_path / "0.segment")
    assert (segment.extradata, segment.frames, segment.last_pts) == (b"header", 3, 5)
    found = list(read_packets(segment))
    assert [shown(p) for p in found] == [shown(p) for p in make_packets()]
    assert shown(found[0])[-1] == [("matroska_block_additional", b"abc")]
    assert {(p.time_base.numerator, p.time_base.denominator) for p in found} == {(1, 90000)}


def test_the_file_has_its_name_only_when_it_is_complete(tmp_path):
    file = SegmentFile(tmp_path / "0.segment", Fraction(1, 25), b"")
    file.write(make_packets()[0])
    assert [p.name for p in tmp_path.iterdir()] == ["0.segment.partial"]
    file.abandon()
    assert not list(tmp_path.iterdir())


def test_damage_is_seen(tmp_path):
    path = tmp_path / "0.segment"
    segment = write(path)
    whole = path.read_bytes()
    for end in (0, 3, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert read_segment(path) is None
    # The last bytes repeat: every place of the others, and some of them.
    for place in (*range(500), *range(500, len(whole), 97), *range(len(whole) - 40, len(whole))):
        for bit in (1, 2):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            assert read_segment(path) is None
            with pytest.raises(EmtcmError, match="was damaged since it was written; the same command makes"):
                list(read_packets(segment))


def test_a_missing_packet_is_seen(tmp_path):
    path = tmp_path / "0.segment"
    write(path)
    whole = path.read_bytes()
    # The second is empty but for its fields.
    second = whole.index(b"P", whole.index(b"key") + 7)
    length = RECORD.size + PACKET_FIELDS.size + CHECKSUM.size
    path.write_bytes(whole[:second] + whole[second + length :])
    assert read_segment(path) is None

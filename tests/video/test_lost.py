"""What comes inside of frames and is lost is said."""

import itertools
import re
import struct
from types import SimpleNamespace

import av
import pytest
from av.bitstream import BitStreamFilterContext
from av.sidedata.sidedata import Type

from tests.video.clips import FAST, decoded
from vs_emtcm import Upscaler
from vs_emtcm.video import upscale_video
from vs_emtcm.video.lost import CROPPING, LOST, lost_of_frame, lost_of_frames, lost_of_header


def with_captions(stream: bytes, first: int) -> bytes:
    """An H.264 stream with closed captions (ATSC A/53) before its slices, from a number on."""
    captions = bytes.fromhex("b5003147413934 03 c1ff fc942c ff")
    unit = b"\0\0\0\1\x06\x04" + bytes([len(captions)]) + captions + b"\x80"
    slices = itertools.count()
    start = re.compile(rb"(?=\x00\x00\x00?\x01[\x65\x41\x01])")
    return start.sub(lambda _: unit if next(slices) // 2 >= first else b"", stream)


@pytest.mark.parametrize("first", [0, 3])
def test_captions_inside_of_the_video_are_said_to_be_lost(make_clip, tmp_path, first):
    source = make_clip("clip.h264")
    source.write_bytes(with_captions(source.read_bytes(), first))
    told = []
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST, warn=told.append)
    assert len([w for w in report.warnings if "CEA-608" in w]) == 1
    assert sorted(told) == sorted(report.warnings)
    assert len(decoded(tmp_path / "out.mkv")) == 6


def test_a_rotation_inside_of_the_video_is_said_to_be_lost_and_one_of_the_file_is_kept(make_clip, tmp_path):
    plain = make_clip("plain.mp4")
    inside = tmp_path / "inside.mp4"
    with av.open(str(plain)) as film, av.open(str(inside), "w") as container:
        stream = film.streams.video[0]
        turn = BitStreamFilterContext("h264_metadata=display_orientation=insert:rotate=90", stream)
        copy = container.add_stream_from_template(stream)
        for packet in film.demux(stream):
            for turned in turn.filter(packet if packet.size else None):
                turned.stream = copy
                container.mux(turned)
    report = upscale_video(inside, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert [w for w in report.warnings if "rotation that the video itself names" in w]
    outside = tmp_path / "outside.mp4"
    with av.open(str(plain)) as film, av.open(str(outside), "w") as container:
        copy = container.add_stream_from_template(film.streams.video[0])
        copy.set_display_matrix([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30])
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = copy
                container.mux(packet)
    for suffix in ("mkv", "m4v"):
        report = upscale_video(outside, tmp_path / f"turned.{suffix}", Upscaler(2, stages=1), FAST)
        assert report.warnings == ()
        with av.open(str(tmp_path / f"turned.{suffix}")) as container:
            assert "display_matrix" in container.streams.video[0].codec_context.coded_side_data


@pytest.mark.parametrize("tagged", [False, True])
def test_two_views_are_said_to_be_lost_unless_the_file_names_them(tmp_path, tagged):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": "frame-packing=3"})
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        if tagged:
            stream.metadata["stereo_mode"] = "left_right"
        container.mux(stream.encode(av.VideoFrame(64, 32, "yuv420p")))
        container.mux(stream.encode(None))
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert [w for w in report.warnings if "(stereo 3D) is left out" in w] == list(report.warnings)
    assert bool(report.warnings) != tagged
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert (container.streams.video[0].metadata.get("stereo_mode") == "left_right") == tagged


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Type.A53_CC, "captions"),
        (Type.DYNAMIC_HDR_PLUS, "HDR10+"),
        (Type.DYNAMIC_HDR_VIVID, "HDR Vivid"),
        (Type.SPHERICAL, "360-degree"),
        (Type.DISPLAYMATRIX, "rotation"),
        (Type.STEREO3D, "stereo 3D"),
        (Type.DOVI_METADATA, "Dolby Vision"),
        (Type.MASTERING_DISPLAY_METADATA, "mastering display"),
        (Type.AMBIENT_VIEWING_ENVIRONMENT, "ambient viewing"),
        (Type.AFD, "AFD"),
        (Type.FILM_GRAIN_PARAMS, "film grain"),
        (Type.GOP_TIMECODE, "time codes"),
        (Type.S12M_TIMECODE, "time codes"),
        (Type.ICC_PROFILE, "ICC profile"),
    ],
)
def test_every_kind_has_its_sentence(kind, words):
    # PyAV writes few of them.
    stream = SimpleNamespace(codec_context=SimpleNamespace(coded_side_data={}), metadata={})
    assert words in lost_of_frames(stream)[kind]


def test_cropping_that_players_are_asked_for_is_said_to_be_lost():
    # PyAV cannot write it.
    for side_data, lost in (({"frame_cropping": b""}, [CROPPING]), ({}, [])):
        stream = SimpleNamespace(codec_context=SimpleNamespace(coded_side_data=side_data))
        assert lost_of_header(stream) == lost


def with_messages(stream: bytes, *messages: tuple[int, bytes]) -> bytes:
    """An HEVC stream with messages (SEI), a type and a payload each, before its first slice."""
    units = b""
    for kind, payload in messages:
        content = bytes([kind, len(payload)]) + payload + b"\x80"
        units += b"\0\0\0\1\x4e\x01" + re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\0\0\3", content)
    starts = re.finditer(rb"\x00\x00\x00?\x01(?=.)", stream, re.DOTALL)
    first = next(start.start() for start in starts if 16 <= stream[start.end()] >> 1 & 63 <= 21)
    return stream[:first] + units + stream[first:]


AMBIENT = (148, struct.pack(">IHH", 314_000, 15_635, 16_450))


def active_format(value: int) -> tuple[int, bytes]:
    return 4, bytes.fromhex("b50031") + b"DTG1" + bytes([0x41, 0xF0 | value])


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ((), []),
        ((AMBIENT,), ["ambient viewing environment"]),
        ((active_format(10),), ["(AFD)"]),
        ((active_format(8),), []),
        ((AMBIENT, active_format(9)), ["ambient viewing environment", "(AFD)"]),
    ],
)
def test_messages_of_hevc_are_said_to_be_lost(make_clip, tmp_path, messages, words):
    # x265 spoils memory at less than 64 lines.
    source = make_clip("clip.hevc", codec="libx265", width=64, height=64)
    source.write_bytes(with_messages(source.read_bytes(), *messages))
    warnings = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST).warnings
    assert len(warnings) == len(words)
    for word in words:
        assert any(word in warning for warning in warnings)


@pytest.mark.parametrize(
    ("time_code", "lost"), [("00:00:00:00", False), ("01:00:00:00", True), ("00:00:09:03", True)]
)
def test_time_codes_of_mpeg2_are_said_to_be_lost_unless_they_only_count(tmp_path, time_code, lost):
    source = tmp_path / "in.ts"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"gop_timecode": time_code})
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for _ in range(40):
            container.mux(stream.encode(av.VideoFrame(64, 32, "yuv420p")))
        container.mux(stream.encode(None))
    warnings = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST).warnings
    assert [w for w in warnings if w == "time codes inside the video are left out"] == list(warnings)
    assert bool(warnings) == lost


def test_time_codes_that_the_file_names_are_kept():
    stream = SimpleNamespace(
        codec_context=SimpleNamespace(coded_side_data={}), metadata={"timecode": "01:00:00:00"}
    )
    assert not {Type.GOP_TIMECODE, Type.S12M_TIMECODE} & set(lost_of_frames(stream))


@pytest.mark.parametrize(("flags", "is_lost"), [((1, 1), False), ((1, 0), True), ((0, 1), True)])
def test_a_mastering_display_that_is_not_whole_is_said_to_be_lost(flags, is_lost):
    # PyAV cannot write it.
    data = struct.pack("<22i", *(1000, 50_000) * 10, *flags)
    frame = SimpleNamespace(side_data={Type.MASTERING_DISPLAY_METADATA: data})
    lost = dict(LOST)
    sentence = (
        "the mastering display of HDR is left out: the source names only its primaries or only its luminance"
    )
    assert lost_of_frame(frame, lost) == [sentence] * is_lost
    assert lost_of_frame(frame, lost) == []


def test_each_kind_is_told_once_and_the_active_format_when_it_says_something():
    lost = dict(LOST)
    frames = [
        SimpleNamespace(side_data=data)
        for data in (
            {Type.AFD: b"\x08"},
            {Type.AFD: b"\x0a", Type.ICC_PROFILE: b"profile"},
            {Type.AFD: b"\x0a", Type.ICC_PROFILE: b"profile", Type.FILM_GRAIN_PARAMS: b"grain"},
        )
    ]
    found = [lost_of_frame(frame, lost) for frame in frames]
    assert found == [[], [LOST[Type.AFD], LOST[Type.ICC_PROFILE]], [LOST[Type.FILM_GRAIN_PARAMS]]]

"""The filter: what scripts see of clips, properties, lanes and errors."""

import threading
from collections import defaultdict

import numpy as np
import pytest
import vapoursynth as vs

from tests.material import codes
from vs_emtcm import Color, EmtcmError, PixelFormat, Upscaler, UsageError, emtcm, upscaler
from vs_emtcm import lanes as lanes_module
from vs_emtcm.engines.cpu_engine import CpuEngine
from vs_emtcm.filter import clip_format, numbered_device, vs_frame_color

core = vs.core


def clip_of(format: int = vs.YUV420P8, frames: int = 5, width: int = 32, height: int = 24) -> vs.VideoNode:
    """A clip whose every frame is another texture."""
    blank = core.std.BlankClip(
        format=format, width=width, height=height, length=frames, fpsnum=24000, fpsden=1001
    )
    kind = blank.format

    def fill(n, f):
        frame = f.copy()
        for index in range(kind.num_planes):
            plane = np.asarray(frame[index])
            if kind.sample_type == vs.FLOAT:
                plane[:] = codes(*plane.shape, seed=n + index) / 255 - (
                    0.5 if index and kind.color_family == vs.YUV else 0
                )
            else:
                plane[:] = codes(*plane.shape, bits=kind.bits_per_sample, seed=n + index)
        frame.props["Number"] = n
        return frame

    return blank.std.ModifyFrame(blank, fill)


def planes(frame: vs.VideoFrame) -> list[np.ndarray]:
    return [np.asarray(frame[i]).copy() for i in range(frame.format.num_planes)]


def all_frames(clip: vs.VideoNode) -> list[list[np.ndarray]]:
    return [planes(frame) for frame in clip.frames(close=True)]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("YUV420P8", PixelFormat(family="yuv", subsampling=(1, 1))),
        ("YUV420P10", PixelFormat(family="yuv", bits=10, subsampling=(1, 1))),
        ("YUV444P8", PixelFormat(family="yuv")),
        ("YUV422P16", PixelFormat(family="yuv", bits=16, subsampling=(1, 0))),
        ("YUV440P8", PixelFormat(family="yuv", subsampling=(0, 1))),
        ("YUV411P8", PixelFormat(family="yuv", subsampling=(2, 0))),
        ("YUV410P8", PixelFormat(family="yuv", subsampling=(2, 2))),
        ("YUV444PH", PixelFormat(family="yuv", bits=16, sample_type="float")),
        ("YUV420PS", PixelFormat(family="yuv", bits=32, sample_type="float", subsampling=(1, 1))),
        ("GRAY8", PixelFormat(family="gray")),
        ("GRAY16", PixelFormat(family="gray", bits=16)),
        ("GRAYS", PixelFormat(family="gray", bits=32, sample_type="float")),
        ("RGB24", PixelFormat(family="rgb")),
        ("RGB48", PixelFormat(family="rgb", bits=16)),
        ("RGBH", PixelFormat(family="rgb", bits=16, sample_type="float")),
    ],
)
def test_a_frame_is_what_the_upscaler_makes_of_it(name, format):
    clip = clip_of(int(getattr(vs, name)), frames=2)
    result = emtcm(clip, 2)
    assert result.format.id == clip.format.id
    assert (result.width, result.height) == (2 * clip.width, 2 * clip.height)
    expected = Upscaler(2).upscale(planes(clip.get_frame(1)), format)
    for ours, theirs in zip(planes(result.get_frame(1)), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("frames", [1, 2, 5, 6])
@pytest.mark.parametrize("lanes", [1, 2, 3, 8])
def test_lanes_change_nothing(frames, lanes):
    clip = clip_of(frames=frames)
    result = emtcm(clip, 3, lanes=lanes)
    assert (result.num_frames, result.fps) == (clip.num_frames, clip.fps)
    numbers = [frame.props["Number"] for frame in result.frames(close=True)]
    assert numbers == list(range(frames))
    for ours, alone in zip(all_frames(result), all_frames(emtcm(clip, 3, lanes=1)), strict=True):
        for a, b in zip(ours, alone, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_lane_works_in_one_thread_whichever_calls_it(monkeypatch):
    used = defaultdict(set)
    upscale_into = Upscaler.upscale_into

    def watched(upscaler, *arguments):
        used[id(upscaler)].add(threading.get_ident())
        upscale_into(upscaler, *arguments)

    monkeypatch.setattr(Upscaler, "upscale_into", watched)
    all_frames(emtcm(clip_of(frames=30), lanes=3))
    assert [len(threads) for threads in used.values()] == [1, 1, 1]
    assert len(set.union(*used.values())) == 3


def test_a_frame_that_no_memory_holds_is_named(monkeypatch):
    def full(*_):
        raise EmtcmError("device 'cuda:0' has no room")

    monkeypatch.setattr(Upscaler, "upscale_into", full)
    with pytest.raises(vs.Error, match="emtcm: frame 3: device 'cuda:0' has no room"):
        emtcm(clip_of(), lanes=2).get_frame(3)


@pytest.mark.parametrize("lanes", [1, 3])
def test_every_frame_of_the_source_is_made_once(lanes):
    made = []
    clip = clip_of(frames=40)
    counted = clip.std.ModifyFrame(clip, lambda n, f: made.append(n) or f)
    counted.std.SetVideoCache(0)
    all_frames(emtcm(counted, stages=1, lanes=lanes))
    assert sorted(made) == list(range(40))


@pytest.mark.parametrize(
    ("properties", "location", "range_"),
    [
        ({"_Range": [1, 0], "_ChromaLocation": [2, 1]}, "top_left", "full"),
        ({"_FieldBased": [0, 0]}, "left", "limited"),
    ],
)
def test_of_properties_with_several_values_the_first_counts(properties, location, range_):
    frame = clip_of().std.SetFrameProps(**properties).get_frame(0)
    color = vs_frame_color(frame, PixelFormat(family="yuv", subsampling=(1, 1)))
    assert (color.chroma_location, color.range) == (location, range_)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"_Range": 2}, "emtcm: frame 4 has _Range 2; accepted are 0 to 1"),
        ({"_FieldBased": 3}, "emtcm: frame 4 has _FieldBased 3; accepted are 0 to 2"),
        ({"_FieldBased": [2, 0]}, "emtcm: frame 4 is interlaced"),
        ({"_ChromaLocation": "left"}, "emtcm: frame 4 has _ChromaLocation .*left.*; accepted are 0 to 5"),
    ],
)
def test_properties_that_mean_nothing_are_refused(properties, message):
    with pytest.raises(vs.Error, match=message):
        emtcm(clip_of().std.SetFrameProps(**properties)).get_frame(4)


@pytest.mark.parametrize("number", [np.uint8, np.int8, np.int64])
def test_a_scale_may_be_any_whole_number(number):
    clip = clip_of(width=320, height=200, frames=1)
    result, expected = (all_frames(emtcm(clip, scale))[0] for scale in (number(2), 2))
    assert all(np.array_equal(a, b) for a, b in zip(result, expected, strict=True))


def test_properties_pass_through():
    clip = clip_of().std.SetFrameProps(_Matrix=1, _Primaries=9, _SARNum=32, _SARDen=27, Note=b"kept")
    before, after = clip.get_frame(3).props, emtcm(clip).get_frame(3).props
    assert dict(after) == dict(before)


def test_opacity_beside_a_clip_does_not_stay_small_beside_the_larger_one():
    clip = clip_of(int(vs.RGB24))
    with_alpha = clip.std.ClipToProp(core.std.BlankClip(clip, format=vs.GRAY8), prop="_Alpha")
    assert "_Alpha" in with_alpha.get_frame(0).props
    assert "_Alpha" not in emtcm(with_alpha).get_frame(0).props


@pytest.mark.parametrize("location", range(6))
def test_the_chroma_location_is_honoured(location):
    clip = clip_of().std.SetFrameProps(_ChromaLocation=location)
    name = ("left", "center", "top_left", "top", "bottom_left", "bottom")[location]
    expected = Upscaler(2).upscale(
        planes(clip.get_frame(0)),
        PixelFormat(family="yuv", subsampling=(1, 1)),
        Color(chroma_location=name),
    )
    np.testing.assert_array_equal(planes(emtcm(clip).get_frame(0))[1], expected[1])


@pytest.mark.parametrize(
    ("props", "range_"),
    [
        ({}, "limited"),
        ({"_Range": 0}, "limited"),
        ({"_Range": 1}, "full"),
    ],
)
def test_the_range_is_honoured(props, range_):
    clip = clip_of(int(vs.GRAY8)).std.SetFrameProps(**props)
    expected = Upscaler(2).upscale(planes(clip.get_frame(0)), PixelFormat(family="gray"), Color(range=range_))
    np.testing.assert_array_equal(planes(emtcm(clip).get_frame(0))[0], expected[0])


def test_both_names_of_the_range_are_understood():
    from vs_emtcm.filter import frame_range

    assert frame_range({"_ColorRange": 0}, "limited") == "full"
    assert frame_range({"_ColorRange": 1}, "full") == "limited"
    assert frame_range({"_Range": 1, "_ColorRange": 1}, "limited") == "full"


def bars(colors, width):
    return core.std.StackHorizontal(
        [
            core.std.BlankClip(format=vs.YUV444P8, width=width, height=3 * width, length=1, color=color)
            for color in colors
        ]
    )


COLOR_BARS = (180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58), (84, 184, 198)


def test_chroma_of_one_luma_is_where_zimg_puts_it():
    for location in (0, 1):
        colors = [(128, *chroma) for _, *chroma in COLOR_BARS]
        clip = bars(colors, 16).resize.Bicubic(format=vs.YUV420P8, chromaloc=location)
        ours = planes(emtcm(clip, 2).get_frame(0))
        zimg = planes(clip.resize.Spline36(clip.width * 2, clip.height * 2).get_frame(0))
        for index in (1, 2):
            difference = np.abs(ours[index].astype(int) - zimg[index].astype(int))[8:-8, 8:-8]
            assert difference.max() <= 1


def test_edges_of_chroma_follow_those_of_luma():
    for location in (0, 1):
        clip = bars(COLOR_BARS, 16).resize.Bicubic(format=vs.YUV420P8, chromaloc=location)
        ours = planes(emtcm(clip, 2, tune="clean").get_frame(0))
        zimg = planes(clip.resize.Spline36(clip.width * 2, clip.height * 2).get_frame(0))
        large = bars(COLOR_BARS, 32).resize.Bicubic(format=vs.YUV420P8, chromaloc=location)
        truth = planes(large.get_frame(0))
        for index in (1, 2):
            left = np.abs(ours[index].astype(int) - truth[index]).mean()
            assert left < 0.5 * np.abs(zimg[index].astype(int) - truth[index]).mean()


@pytest.mark.parametrize("field", [1, 2])
def test_interlaced_frames_are_refused_with_a_remedy(field):
    clip = emtcm(clip_of().std.SetFrameProps(_FieldBased=field))
    with pytest.raises(
        vs.Error, match=rf"emtcm: frame 2 is interlaced \(_FieldBased is {field}\); deinterlace"
    ):
        clip.get_frame(2)


class Crowded(CpuEngine):
    """An engine that has room for two lanes."""

    lanes = 1

    def another(self):
        if self.lanes == 2:
            raise EmtcmError("there is not enough GPU memory for one more lane; use fewer lanes")
        self.lanes += 1
        return super().another()


def test_all_lanes_have_the_engine_that_was_chosen_once(monkeypatch, caplog):
    chosen = []

    def create(weights, **settings):
        chosen.append(settings)
        return Crowded(weights, settings["stages"])

    monkeypatch.setattr(upscaler, "create_engine", create)
    monkeypatch.setattr(lanes_module, "default_lanes", lambda _: 3)
    caplog.set_level("INFO")
    assert emtcm(clip_of()).num_frames == 5
    assert len(chosen) == 1
    assert caplog.messages[0].endswith("for one more lane; use fewer lanes; going on with 2")
    assert caplog.messages[1].endswith("frames at once: 2")
    with pytest.raises(vs.Error, match="emtcm: there is not enough GPU memory for one more lane"):
        emtcm(clip_of(), lanes=3)


@pytest.mark.parametrize(
    ("device", "index", "name"),
    [
        ("auto", 0, "auto"),
        ("cpu", 0, "cpu"),
        ("cuda", 0, "cuda:0"),
        ("cuda", 2, "cuda:2"),
        ("auto", 1, "cuda:1"),
        ("cuda:1", 0, "cuda:1"),
    ],
)
def test_the_index_of_a_device_becomes_part_of_its_name(device, index, name):
    assert numbered_device(device, index) == name


def test_a_clip_on_the_gpu_is_refused_with_a_remedy(monkeypatch):
    class Resident:
        gpu_resident = True

    monkeypatch.setattr(vs, "VideoNode", Resident)
    with pytest.raises(UsageError, match=r"bring them back with std\.GPUDownload first"):
        clip_format(Resident())


def test_every_option_is_the_upscalers(monkeypatch):
    made = []

    def make(scale, **options):
        made.append({"scale": scale, **options})
        raise UsageError("enough")

    monkeypatch.setattr("vs_emtcm.filter.Upscaler", make)
    options = {"model": "large", "tune": "clean", "stages": 1, "backend": "torch", "tile": (64, 48)}
    with pytest.raises(vs.Error, match="emtcm: enough"):
        emtcm(clip_of(), 3, device="cuda", device_index=2, **options)
    assert made == [{"scale": 3, "device": "cuda:2", **options}]


def eighth() -> vs.VideoNode:
    return clip_of(int(core.query_video_format(vs.YUV, vs.INTEGER, 8, 3, 0)))


def eighth_of_the_lines() -> vs.VideoNode:
    return clip_of(int(core.query_video_format(vs.YUV, vs.INTEGER, 8, 0, 3)))


def varying() -> vs.VideoNode:
    return core.std.Splice([clip_of(), clip_of(width=48)], mismatch=True)


def varying_format() -> vs.VideoNode:
    return core.std.Splice([clip_of(), clip_of(int(vs.GRAY8))], mismatch=True)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (clip_of, {"scale": 5}, "emtcm: scale is 5; accepted are 2, 3 and 4"),
        (clip_of, {"model": "huge"}, "emtcm: model 'huge' .* available are base/video"),
        (clip_of, {"stages": 3}, "emtcm: stages is 3"),
        (clip_of, {"backend": "x"}, "emtcm: backend is 'x'; accepted are"),
        (clip_of, {"backend": "openvino", "device": "cuda"}, "emtcm: backend 'openvino' is not usable on"),
        (clip_of, {"scale": 2.0}, "emtcm: scale is 2.0; accepted are 2, 3 and 4"),
        (clip_of, {"model": None}, "emtcm: model 'None' .* available are base/video"),
        (clip_of, {"device": None}, "emtcm: device is None; accepted are auto, cpu"),
        (clip_of, {"device_index": "0"}, "emtcm: device_index is '0'; accepted are numbers from 0"),
        (clip_of, {"tile": 128.0}, "emtcm: tile is 128.0"),
        (clip_of, {"tile": "64"}, "emtcm: tile is '64'"),
        (clip_of, {"lanes": 0}, "emtcm: lanes is 0; accepted are None and 1 to 16"),
        (clip_of, {"lanes": 17}, "emtcm: lanes is 17"),
        (clip_of, {"lanes": "two"}, "emtcm: lanes is 'two'"),
        (clip_of, {"tile": 3}, "emtcm: tile is 3"),
        (clip_of, {"device": "gpu", "device_index": 1}, "emtcm: device is 'gpu'; accepted are auto, cpu"),
        (
            clip_of,
            {"device": "cpu", "device_index": 1},
            "emtcm: device is 'cpu' and device_index 1; give one",
        ),
        (clip_of, {"device_index": -1}, "emtcm: device_index is -1"),
        (varying, {}, "emtcm: the clip's size varies"),
        (varying_format, {}, "emtcm: the clip's format varies"),
        (lambda: clip_of(int(vs.GRAY32)), {}, "emtcm: the clip's format is Gray32; accepted are GRAY"),
        (eighth, {}, "emtcm: the clip's format is .*; accepted is subsampling up to 4:1:0"),
        (eighth_of_the_lines, {}, "emtcm: the clip's format is .*; accepted is subsampling up to 4:1:0"),
        (lambda: "film.mkv", {}, "emtcm: clip is of type str"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(make, arguments, message):
    with pytest.raises(vs.Error, match=message):
        emtcm(make(), **arguments)

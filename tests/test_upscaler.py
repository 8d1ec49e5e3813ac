"""Upscaler: every format in and out, no seams, flat fields flat, one clear error for wrong planes."""

import itertools
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from tests.conftest import codes, texture
from vs_emtcm import Color, EmtcmError, PixelFormat, Upscaler, UsageError, chroma, resample
from vs_emtcm.planes import full_scale

GRAY = PixelFormat(family="gray")

FORMATS = [
    *(PixelFormat(family="gray", bits=b) for b in (8, 10, 16)),
    *(PixelFormat(family="yuv", bits=b, subsampling=(1, 1)) for b in (8, 10, 12, 16)),
    *(PixelFormat(family="yuv", subsampling=s) for s in ((0, 0), (1, 0), (0, 1), (2, 0), (2, 2))),
    *(PixelFormat(family="rgb", bits=b) for b in (8, 10, 16)),
    *(PixelFormat(family=f, bits=b, sample_type="float") for f in ("gray", "yuv", "rgb") for b in (16, 32)),
    PixelFormat(family="yuv", subsampling=(1, 1), alpha=True),
    PixelFormat(family="rgb", alpha=True),
    PixelFormat(family="gray", alpha=True),
]
UPSCALERS = {
    (scale, stages): Upscaler(scale, tune=tune, stages=stages)
    for scale, stages, tune in itertools.product((2, 3, 4), (1, 2), ("video",))
}


def describe(format: PixelFormat) -> str:
    return f"{format.family}{format.bits}{format.sample_type[0]}{format.subsampling}{'a' * format.alpha}"


def planes_of(format: PixelFormat, width: int, height: int) -> list[np.ndarray]:
    shapes = (format.plane_shape(i, width, height) for i in range(format.planes))
    return [
        (texture(*shape, seed=i) * full_scale(format)).astype(format.dtype) for i, shape in enumerate(shapes)
    ]


@pytest.mark.parametrize("format", FORMATS, ids=describe)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_format_comes_back_as_itself_and_larger(format, scale):
    planes = planes_of(format, 24, 20)
    results = UPSCALERS[scale, 2].upscale(planes, format)
    for index, (plane, result) in enumerate(zip(planes, results, strict=True)):
        assert result.dtype == format.dtype
        assert result.shape == format.plane_shape(index, 24 * scale, 20 * scale)
        # Upscaling keeps the mean and does not lose contrast.
        tolerance = 0.03 * full_scale(format)
        assert abs(float(result.mean(dtype=np.float64)) - plane.mean(dtype=np.float64)) < tolerance
        assert result.astype(np.float64).std() > 0.7 * plane.astype(np.float64).std()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_edge_looks_as_if_the_picture_went_on_mirrored(scale):
    picture = codes(40, 50)
    (alone,) = UPSCALERS[scale, 2].upscale([picture], GRAY)
    for axis in (0, 1):
        mirror = np.flip(picture, axis)
        (before,) = UPSCALERS[scale, 2].upscale([np.concatenate([mirror, picture], axis)], GRAY)
        (after,) = UPSCALERS[scale, 2].upscale([np.concatenate([picture, mirror], axis)], GRAY)
        size = alone.shape[axis]
        for wide, part in ((before, slice(size, None)), (after, slice(size))):
            inside = wide[part] if axis == 0 else wide[:, part]
            assert np.abs(inside.astype(int) - alone).max() <= 1


@pytest.mark.parametrize("tune", ["video", "clean"])
@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_8_bit_level_of_a_flat_field_stays(scale, stages, tune):
    upscaler = Upscaler(scale, tune=tune, stages=stages)
    for format, range_ in itertools.product(
        (PixelFormat(family="yuv", subsampling=(1, 1)), PixelFormat(family="rgb")), ("limited", "full")
    ):
        for value in range(0, 256, 5):
            planes = [np.full(format.plane_shape(i, 5, 4), value, np.uint8) for i in range(3)]
            for result in upscaler.upscale(planes, format, Color(range=range_)):
                assert result.min() == result.max() == value


@given(data=st.data(), format=st.sampled_from(FORMATS), range_=st.sampled_from(["limited", "full"]))
def test_flat_fields_stay_flat_in_every_format(data, format, range_):
    top = int(full_scale(format)) if format.sample_type == "integer" else 1
    number = st.integers(0, top) if format.sample_type == "integer" else st.floats(-0.5, 1.5, width=16)
    values = [data.draw(number) for _ in range(format.planes)]
    planes = [np.full(format.plane_shape(i, 8, 8), value, format.dtype) for i, value in enumerate(values)]
    for plane, result in zip(
        planes, UPSCALERS[2, 2].upscale(planes, format, Color(range=range_)), strict=True
    ):
        if format.sample_type == "integer":
            np.testing.assert_array_equal(result, plane.flat[0])
        else:
            np.testing.assert_allclose(result, plane.flat[0], atol=1e-3 if format.bits == 16 else 2e-6)


@settings(max_examples=25)
@given(width=st.integers(1, 40), height=st.integers(1, 40), scale=st.sampled_from([2, 3, 4]))
def test_any_size_works(width, height, scale):
    format = PixelFormat(family="yuv", subsampling=(1, 1))
    results = UPSCALERS[scale, 2].upscale(planes_of(format, width, height), format)
    assert results[0].shape == (scale * height, scale * width)
    assert results[1].shape == (-(-scale * height // 2), -(-scale * width // 2))


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("tile", [16, (64, 24), (33, 47)])
def test_tiles_leave_no_seam(scale, stages, tile):
    luma = codes(113, 150, bits=16)
    format = PixelFormat(family="gray", bits=16)
    whole = Upscaler(scale, stages=stages, tile=0).upscale([luma], format)[0].astype(int)
    tiled = Upscaler(scale, stages=stages, tile=tile).upscale([luma], format)[0].astype(int)
    # 16-bit codes show 256 times less than what could change an 8-bit code.
    assert np.abs(whole - tiled).max() <= 2


def test_automatic_tiles_do_not_change_an_8_bit_picture():
    luma = codes(700, 300)
    format = PixelFormat(family="gray")
    whole = Upscaler(2, tile=0).upscale([luma], format)[0].astype(int)
    automatic = Upscaler(2).upscale([luma], format)[0].astype(int)
    different = np.abs(whole - automatic)
    assert different.max() <= 1
    assert (different > 0).mean() <= 1e-5


def test_grey_rgb_is_upscaled_like_grey():
    luma = codes(30, 40)
    rgb = Upscaler(2).upscale([luma] * 3, PixelFormat(family="rgb"))
    grey = Upscaler(2).upscale([luma], PixelFormat(family="gray"), Color(range="full"))[0]
    for channel in rgb:
        np.testing.assert_allclose(channel.astype(int), grey.astype(int), atol=1)


def test_full_range_and_limited_range_of_one_picture_agree():
    picture = texture(40, 40)
    format = PixelFormat(family="gray", bits=16)
    full = Upscaler(2).upscale([np.round(picture * 65535).astype(np.uint16)], format, Color(range="full"))[0]
    limited = Upscaler(2).upscale(
        [np.round(4096 + picture * 56064).astype(np.uint16)], format, Color(range="limited")
    )[0]
    nominal = (limited.astype(float) - 4096) / 56064
    np.testing.assert_allclose(full / 65535, nominal.clip(0, 1), atol=1e-4)


def test_the_matrix_does_not_change_the_range_of_rgb():
    format = PixelFormat(family="rgb")
    picture = [codes(20, 24, seed=seed) for seed in range(3)]
    by_itself = Upscaler(2, tune="clean").upscale(picture, format)
    named, full = (
        Upscaler(2, tune="clean").upscale(picture, format, color)
        for color in (Color(matrix="bt709"), Color(matrix="bt709", range="full"))
    )
    for a, b, c in zip(by_itself, named, full, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(b, c)


@pytest.mark.parametrize(
    ("matrix", "red", "blue"),
    # Red and blue of ITU-R BT.601, BT.709 and BT.2020.
    [("bt601", 0.299, 0.114), ("bt709", 0.2126, 0.0722), ("bt2020", 0.2627, 0.0593)],
)
def test_colours_of_the_same_luma_are_only_interpolated(matrix, red, blue):
    difference = texture(20, 24) - 0.5
    picture = [0.5 + blue * difference, np.full((20, 24), 0.5), 0.5 - red * difference]
    planes = [plane.astype(np.float32) for plane in picture]
    format = PixelFormat(family="rgb", bits=32, sample_type="float")
    for plane, result in zip(
        planes, Upscaler(2, tune="clean").upscale(planes, format, Color(matrix=matrix)), strict=True
    ):
        interpolated = resample.upscale(torch.from_numpy(plane)[None, None], 2)[0, 0]
        np.testing.assert_allclose(result, interpolated.numpy(), atol=2e-6)


@pytest.mark.parametrize("range_", ["limited", "full"])
def test_chroma_of_every_depth_is_the_same(range_):
    upscaler, color = Upscaler(2, tune="clean"), Color(range=range_)
    # As of a dark film, whose noise is as large as what is to be seen.
    shapes = (40, 60), (20, 30), (20, 30)
    planes = [(30 + 12 * texture(*shape, seed=i)).astype(np.uint8) for i, shape in enumerate(shapes)]
    results = {}
    for bits in (8, 16):
        format = PixelFormat(family="yuv", bits=bits, subsampling=(1, 1))
        factor = full_scale(format) / 255 if range_ == "full" else 1 << (bits - 8)
        given = [(plane * float(factor)).astype(format.dtype) for plane in planes]
        results[bits] = [plane / factor for plane in upscaler.upscale(given, format, color)]
    for eight, sixteen in zip(results[8], results[16], strict=True):
        assert np.abs(eight - sixteen).max() <= 0.51


def test_another_one_works_beside_the_first_in_a_thread_of_its_own():
    luma = codes(40, 60)
    first = Upscaler(2, tune="clean", tile=(32, 32))
    second = first.another()
    expected = first.upscale([luma], GRAY)[0]
    with ThreadPoolExecutor(2) as pool:
        for results in pool.map(lambda one: [one.upscale([luma], GRAY) for _ in range(4)], (first, second)):
            for (result,) in results:
                np.testing.assert_array_equal(result, expected)
    assert second.host is not first.host


def test_read_only_and_strided_planes_are_taken():
    luma = codes(20, 24)
    wide = np.zeros((20, 64), np.uint8)
    wide[:, :24] = luma
    flipped = luma[::-1].copy()[::-1]
    wide.flags.writeable = False
    format = PixelFormat(family="gray")
    expected = Upscaler(2).upscale([luma], format)[0]
    np.testing.assert_array_equal(Upscaler(2).upscale([wide[:, :24]], format)[0], expected)
    np.testing.assert_array_equal(Upscaler(2).upscale([flipped], format)[0], expected)


@pytest.mark.parametrize(
    ("planes", "message"),
    [
        ([], "0 planes were given; the format has 3"),
        ([np.zeros((4, 4), np.uint8)], "1 planes were given; the format has 3"),
        ([np.zeros((4, 4), np.uint8)] * 3, r"plane 1 is uint8 of shape \(4, 4\).*\(2, 2\)"),
        ([np.zeros((4, 4), np.uint16)] * 3, "plane 0 is uint16.*needs uint8"),
        ([np.zeros((0, 4), np.uint8)] * 3, r"the shape \(0, 4\)"),
        ([np.zeros((4, 4, 3), np.uint8)] * 3, r"the shape \(4, 4, 3\)"),
    ],
)
def test_planes_that_do_not_fit_are_refused(planes, message):
    with pytest.raises(ValueError, match=message):
        Upscaler(2).upscale(planes, PixelFormat(family="yuv", subsampling=(1, 1)))


@pytest.mark.parametrize("number", [0, 1, 4])
def test_targets_of_another_number_are_refused_and_stay(number):
    targets = [np.full((16, 16), 7, np.uint8)] * number
    with pytest.raises(ValueError, match=f"{number} planes were given; the format has 3"):
        Upscaler(2).upscale_into([codes(8, 8)] * 3, targets, PixelFormat(family="yuv"))
    assert all((target == 7).all() for target in targets)


YUV = PixelFormat(family="yuv", bits=10, subsampling=(1, 1))


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_what_the_caller_asks_of_pytorch_does_not_change_the_result(backend):
    planes = codes(40, 60, bits=10), codes(20, 30, bits=10, seed=1), codes(20, 30, bits=10, seed=2)
    expected = Upscaler(2, backend=backend).upscale(planes, YUV)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        halved = Upscaler(2, backend=backend).upscale(planes, YUV)
    resample.block_matrix.cache_clear()
    # As a program that wants its tensors on another device.
    with torch.device("meta"):
        elsewhere = Upscaler(2, backend=backend).upscale(planes, YUV)
    resample.block_matrix.cache_clear()
    for results in (halved, elsewhere):
        for result, wanted in zip(results, expected, strict=True):
            np.testing.assert_array_equal(result, wanted)


def test_one_for_two_threads_is_refused():
    upscaler, going_on, refused = Upscaler(2, device="cpu"), threading.Event(), threading.Event()

    def engine(*_):
        going_on.set()
        assert refused.wait(60)
        raise RuntimeError("enough")

    twin = upscaler.another()
    upscaler.engine.__class__ = type("Slow", (type(upscaler.engine),), {"__call__": engine})
    with ThreadPoolExecutor() as pool:
        first = pool.submit(upscaler.upscale, [codes(16, 16)], GRAY)
        assert going_on.wait(60)
        with pytest.raises(EmtcmError, match="at work in another thread; give each its own, by another"):
            upscaler.upscale([codes(16, 16)], GRAY)
        assert twin.upscale([codes(16, 16)], GRAY)[0].shape == (32, 32)
        refused.set()
        with pytest.raises(RuntimeError, match="enough"):
            first.result()
    # The failure is no work that goes on.
    with pytest.raises(RuntimeError, match="enough"):
        upscaler.upscale([codes(16, 16)], GRAY)


# Frames before and after a fork, by an upscaler from before it and by a new one.
FORK = """
import os, sys
import numpy as np
import torch
from vs_emtcm import EmtcmError, PixelFormat, Upscaler

def work(upscaler):
    upscaler.upscale([np.zeros((256, 256), np.uint8)], PixelFormat(family="gray"))

worked, threads = sys.argv[1] == "worked", int(sys.argv[2])
torch.set_num_threads(2)
before = Upscaler(2, device="cpu")
if worked:
    work(before)
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
torch.set_num_threads(threads)
for upscaler in (before, Upscaler(2, device="cpu")):
    try:
        work(upscaler)
        print("done", flush=True)
    except EmtcmError as error:
        print(error, flush=True)
# Libraries do not expect their ends in a forked process.
os._exit(0)
"""
REFUSED = "PyTorch has worked before fork(); start processes by spawn or forkserver"


@pytest.mark.parametrize(
    ("before", "threads", "said"),
    [
        ("worked", 2, REFUSED),
        ("idle", 2, "done"),
        # A single thread of PyTorch's is the caller's, and there is none to wait for.
        ("worked", 1, "done"),
    ],
)
def test_a_forked_process_is_refused_what_it_would_wait_for_for_ever(before, threads, said):
    command = [sys.executable, "-W", "ignore", "-c", FORK, before, str(threads)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout.splitlines() == [said] * 2


@pytest.mark.parametrize(
    "plane", [[[1, 2], [3, 4]], Image.new("L", (2, 2)), torch.zeros((2, 2), dtype=torch.uint8)]
)
def test_planes_that_are_no_arrays_are_refused(plane):
    upscaler = Upscaler(2, device="cpu")
    message = f"plane 0 is of the type {type(plane).__name__}; give numpy arrays"
    with pytest.raises(ValueError, match=message):
        upscaler.upscale([plane], GRAY)
    with pytest.raises(ValueError, match=message):
        upscaler.upscale_into([codes(1, 1)], [plane], GRAY)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")], ids=str
)
def test_a_machine_without_memory_is_one_sentence(monkeypatch, error):
    upscaler = Upscaler(2, device="cpu")

    def full(*_):
        raise error

    monkeypatch.setattr(upscaler, "_run", full)
    with pytest.raises(EmtcmError, match="there is no memory for 16x16 pixels at 2x"):
        upscaler.upscale([codes(16, 16)], GRAY)


def test_small_numbers_of_numpy_are_numbers():
    format = PixelFormat(family="yuv", bits=np.uint8(10), subsampling=(np.uint8(1), np.uint64(1)))
    planes = np.full((300, 20), 600, np.uint16), *[np.full((150, 10), 500, np.uint16)] * 2
    luma, *chroma_planes = Upscaler(np.uint8(2), tile=np.uint8(100)).upscale(planes, format)
    assert (luma == 600).all()
    assert all((plane == 500).all() for plane in chroma_planes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 5}, "scale is 5; accepted are 2, 3 and 4"),
        ({"stages": 0}, "stages is 0"),
        ({"model": "huge"}, "model 'huge' with tune 'video' does not exist"),
        ({"tune": "anime"}, "tune is 'anime'; accepted are video and clean"),
        (
            {"backend": "magic"},
            "backend is 'magic'; accepted are auto, tensorrt, openvino, openvino-bf16, torch",
        ),
        ({"device": "tpu"}, "device is 'tpu'; accepted are auto, cpu, cuda"),
        ({"tile": 8}, "tile is 8; accepted are 0 .never. and sizes from 16"),
        ({"tile": (64, 8)}, "tile is"),
        ({"tile": -1}, "tile is -1"),
    ],
)
def test_arguments_that_do_not_exist_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        Upscaler(**arguments)


class SmallCard:
    """An engine whose card cannot hold more than so many pixels, those of earlier sizes included."""

    def __init__(self, engine, pixels):
        self.engine, self.pixels, self.kept = engine, pixels, set()

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def __call__(self, x):
        self.kept.add(x.shape)
        if sum(shape.numel() for shape in self.kept) > self.pixels:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.engine(x)

    def release(self):
        self.kept.clear()


def test_what_is_kept_for_another_size_makes_room(caplog):
    upscaler = Upscaler(2, tune="clean", device="cpu", tile=0)
    upscaler.engine = SmallCard(upscaler.engine, 100 * 100)
    for shape in ((70, 60), (60, 70), (70, 60)):
        upscaler.upscale([codes(*shape)], GRAY)
        assert len(upscaler.engine.kept) == 1
    assert not caplog.records


NO_ROOM = (
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
)


@pytest.mark.parametrize("error", NO_ROOM, ids=["pytorch", "cublas", "cuda", "cudnn"])
def test_chroma_that_finds_no_room_makes_smaller_tiles(monkeypatch, caplog, error):
    upscaler = Upscaler(2, tune="clean", device="cpu", tile=0)
    planes = codes(160, 200), codes(80, 100), codes(80, 100)
    format = PixelFormat(family="yuv", subsampling=(1, 1))
    expected = upscaler.upscale(planes, format)
    interpolated, tries = chroma.upscale, []

    def limited(*arguments):
        tries.append(upscaler.engine.kept)
        if max(map(max, upscaler.engine.kept)) > 180:
            raise error
        return interpolated(*arguments)

    upscaler.engine = SmallCard(upscaler.engine, 1 << 20)
    monkeypatch.setattr(chroma, "upscale", limited)
    for result, wanted in zip(upscaler.upscale(planes, format), expected, strict=True):
        assert (result != wanted).mean() <= 1e-5
    assert "going on in tiles" in caplog.text
    # Two tries of the whole picture, and both planes of chroma.
    assert len(tries) == 4


def test_other_errors_of_a_gpu_are_not_taken_for_a_small_card(monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    upscaler = Upscaler(2, device="cpu")
    monkeypatch.setattr(upscaler, "_run", broken)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        upscaler.upscale([codes(16, 16)], GRAY)


def test_a_frame_that_does_not_fit_is_done_in_tiles_with_one_warning_for_all_lanes(caplog):
    upscaler = Upscaler(2, tune="clean", device="cpu", tile=0)
    luma = codes(270, 390)
    expected = upscaler.upscale([luma], GRAY)[0]
    upscaler.engine = card = SmallCard(upscaler.engine, 270 * 330)
    lanes = upscaler, upscaler.another()
    for lane in (*lanes, *lanes):
        lane.engine = card
        card.kept.clear()
        result = lane.upscale([luma], GRAY)[0]
        assert (result != expected).mean() <= 1e-5
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "not enough GPU memory for 390x270 pixels at once; going on in tiles" in caplog.text


def test_a_card_that_is_too_small_for_any_tile_is_said(caplog):
    upscaler = Upscaler(2, tune="clean", device="cpu")
    upscaler.engine = SmallCard(upscaler.engine, 100)
    with pytest.raises(
        EmtcmError, match="no room for 390x270 pixels at 2x, not even in tiles; use device 'cpu'"
    ):
        upscaler.upscale([codes(270, 390)], GRAY)


def test_a_squeeze_of_memory_is_forgotten_with_the_next_size():
    upscaler = Upscaler(2, tune="clean", device="cpu", tile=0)
    upscaler.engine = SmallCard(upscaler.engine, 0)
    with pytest.raises(EmtcmError):
        upscaler.upscale([codes(300, 300)], GRAY)
    upscaler.engine.pixels = 1 << 20
    for size, kept in ((300, 1), (301, 1), (300, 1)):
        upscaler.engine.kept.clear()
        upscaler.upscale([codes(size, size)], GRAY)
        assert len(upscaler.engine.kept) == kept
    assert {shape[-1] for shape in upscaler.engine.kept} == {300 + 2 * upscaler.engine.radius}


def test_no_tile_is_larger_than_the_engine_takes():
    upscaler = Upscaler(2, tune="clean", device="cpu", tile=0)
    luma = codes(90, 130)
    expected = upscaler.upscale([luma], GRAY)[0]
    radius = upscaler.engine.radius
    upscaler.engine.largest = (40, 60)
    upscaler.engine = SmallCard(upscaler.engine, (40 + 2 * radius) * (60 + 2 * radius))
    assert (upscaler.upscale([luma], GRAY)[0] != expected).mean() <= 1e-5


def test_a_cpu_is_used_without_a_look_at_gpus(monkeypatch):
    def broken():
        raise RuntimeError("no CUDA driver")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "_lazy_init", broken)
    Upscaler(2, device="cpu").upscale([np.zeros((16, 16), np.uint8)], PixelFormat(family="gray"))


@pytest.mark.parametrize("range_", ["limited", "full"])
@pytest.mark.parametrize("family", ["gray", "yuv", "rgb"])
def test_a_deeper_result_is_what_was_rounded_away(family, range_):
    upscaler, color = Upscaler(2, tune="clean", device="cpu"), Color(range=range_)
    format = PixelFormat(family=family)
    ramp = np.round(np.linspace(60, 70, 120)).astype(np.uint8)
    planes = [np.tile(ramp + 20 * i, (24, 1)) for i in range(format.planes)]
    deep = upscaler.upscale(planes, format, color, bits=16)
    for i, (fine, rough) in enumerate(zip(deep, upscaler.upscale(planes, format, color), strict=True)):
        middle = (128, 32768) if family == "yuv" and i else (0, 0)
        ratio = 256 if color.range_in(family) == "limited" else 257
        seen = (fine.astype(float) - middle[1]) / ratio + middle[0]
        assert np.abs(seen - rough).max() <= 0.503
        assert len(np.unique(fine)) > 4 * len(np.unique(rough))


def test_flat_fields_stay_flat_in_more_bits():
    format = PixelFormat(family="yuv")
    for value in (0, 16, 128, 235, 255):
        planes = [np.full((8, 8), value, np.uint8)] * 3
        for plane in Upscaler(2, device="cpu").upscale(planes, format, bits=10):
            assert (plane == 4 * value).all()


def test_a_result_that_the_memory_cannot_hold_is_one_sentence(monkeypatch):
    def full(*_):
        raise MemoryError

    upscaler = Upscaler(2, device="cpu")
    monkeypatch.setattr(np, "empty", full)
    with pytest.raises(EmtcmError, match="there is no memory for 16x12 pixels at 2x; a smaller scale"):
        upscaler.upscale([np.zeros((12, 16), np.uint8)], GRAY)


class Waiting(TorchDispatchMode):
    """Refuses what makes a program wait for the device, which a CUDA graph cannot hold."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.overloadpacket.__name__ not in {
            "_local_scalar_dense",
            "is_nonzero",
            "nonzero",
            "masked_select",
            "unique",
            "equal",
        }
        indices = args[1] if func.overloadpacket.__name__ in ("index", "index_put_") else ()
        assert all(index is None or index.dtype != torch.bool for index in indices)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("tune", ["clean", "video"])
@pytest.mark.parametrize(
    "format",
    [
        GRAY,
        PixelFormat(family="yuv", subsampling=(1, 1)),
        PixelFormat(family="yuv", bits=10, subsampling=(1, 0)),
        PixelFormat(family="rgb", bits=16, sample_type="float"),
    ],
    ids=str,
)
def test_no_frame_waits_for_the_device_on_its_way_there(tune, format):
    upscaler = Upscaler(3, tune=tune, backend="torch", device="cpu", tile=20)
    planes = [
        codes(*format.plane_shape(index, 37, 29)).astype(format.dtype) for index in range(format.planes)
    ]
    expected = upscaler.upscale(planes, format, bits=None)
    with Waiting():
        result = upscaler.upscale(planes, format)
    assert all(map(np.array_equal, result, expected))

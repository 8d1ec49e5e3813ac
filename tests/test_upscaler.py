"""Every format in and out, flat fields flat, one clear error for what does not fit, one thread each."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.material import codes, texture
from vs_emtcm import Color, EmtcmError, PixelFormat, Upscaler, UsageError, resample
from vs_emtcm.formats import full_scale

GRAY = PixelFormat(family="gray")
YUV = PixelFormat(family="yuv", bits=10, subsampling=(1, 1))
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


@cache
def upscaler(scale: int, tune: str = "video", stages: int = 2) -> Upscaler:
    """An Upscaler that tests share; none of them may change it."""
    return Upscaler(scale, tune=tune, stages=stages)


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
    results = upscaler(scale).upscale(planes, format)
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
    (alone,) = upscaler(scale).upscale([picture], GRAY)
    for axis in (0, 1):
        mirror = np.flip(picture, axis)
        (before,) = upscaler(scale).upscale([np.concatenate([mirror, picture], axis)], GRAY)
        (after,) = upscaler(scale).upscale([np.concatenate([picture, mirror], axis)], GRAY)
        size = alone.shape[axis]
        for wide, part in ((before, slice(size, None)), (after, slice(size))):
            inside = wide[part] if axis == 0 else wide[:, part]
            assert np.abs(inside.astype(int) - alone).max() <= 1


@pytest.mark.parametrize("tune", ["video", "clean"])
@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_8_bit_level_of_a_flat_field_stays(scale, stages, tune):
    for format, range_ in itertools.product(
        (PixelFormat(family="yuv", subsampling=(1, 1)), PixelFormat(family="rgb")), ("limited", "full")
    ):
        for value in range(0, 256, 5):
            planes = [np.full(format.plane_shape(i, 5, 4), value, np.uint8) for i in range(3)]
            for result in upscaler(scale, tune, stages).upscale(planes, format, Color(range=range_)):
                assert result.min() == result.max() == value


@given(data=st.data(), format=st.sampled_from(FORMATS), range_=st.sampled_from(["limited", "full"]))
def test_flat_fields_stay_flat_in_every_format(data, format, range_):
    top = int(full_scale(format)) if format.sample_type == "integer" else 1
    number = st.integers(0, top) if format.sample_type == "integer" else st.floats(-0.5, 1.5, width=16)
    values = [data.draw(number) for _ in range(format.planes)]
    planes = [np.full(format.plane_shape(i, 8, 8), value, format.dtype) for i, value in enumerate(values)]
    for plane, result in zip(planes, upscaler(2).upscale(planes, format, Color(range=range_)), strict=True):
        if format.sample_type == "integer":
            np.testing.assert_array_equal(result, plane.flat[0])
        else:
            np.testing.assert_allclose(result, plane.flat[0], atol=1e-3 if format.bits == 16 else 2e-6)


@settings(max_examples=25)
@given(width=st.integers(1, 40), height=st.integers(1, 40), scale=st.sampled_from([2, 3, 4]))
def test_any_size_works(width, height, scale):
    format = PixelFormat(family="yuv", subsampling=(1, 1))
    results = upscaler(scale).upscale(planes_of(format, width, height), format)
    assert results[0].shape == (scale * height, scale * width)
    assert results[1].shape == (-(-scale * height // 2), -(-scale * width // 2))


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


def test_a_read_only_target_is_refused_before_any_work(monkeypatch):
    one = Upscaler(2, device="cpu")
    monkeypatch.setattr(one, "_upscale_once", lambda *_: pytest.fail("work began"))
    targets = [np.full((16, 16), 7, np.uint8) for _ in range(3)]
    targets[1].flags.writeable = False
    with pytest.raises(ValueError, match="target plane 1 is read-only; give arrays that can be written to"):
        one.upscale_into([codes(8, 8)] * 3, targets, PixelFormat(family="yuv"))
    assert all((target == 7).all() for target in targets)


@pytest.mark.parametrize("number", [0, 1, 4])
def test_targets_of_another_number_are_refused_and_stay(number):
    targets = [np.full((16, 16), 7, np.uint8)] * number
    with pytest.raises(ValueError, match=f"{number} planes were given; the format has 3"):
        Upscaler(2).upscale_into([codes(8, 8)] * 3, targets, PixelFormat(family="yuv"))
    assert all((target == 7).all() for target in targets)


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_what_the_caller_asks_of_pytorch_does_not_change_the_result(backend):
    planes = codes(40, 60, bits=10), codes(20, 30, bits=10, seed=1), codes(20, 30, bits=10, seed=2)
    expected = Upscaler(2, backend=backend).upscale(planes, YUV)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        halved = Upscaler(2, backend=backend).upscale(planes, YUV)
    resample.block_matrix.cache_clear()
    # A program may want its new tensors on another device.
    with torch.device("meta"):
        elsewhere = Upscaler(2, backend=backend).upscale(planes, YUV)
    resample.block_matrix.cache_clear()
    for results in (halved, elsewhere):
        for result, wanted in zip(results, expected, strict=True):
            np.testing.assert_array_equal(result, wanted)


def test_one_for_two_threads_is_refused():
    one, going_on, refused = Upscaler(2, device="cpu"), threading.Event(), threading.Event()

    def engine(*_):
        going_on.set()
        assert refused.wait(60)
        raise RuntimeError("enough")

    twin = one.another()
    one.engine.__class__ = type("Slow", (type(one.engine),), {"__call__": engine})
    with ThreadPoolExecutor() as pool:
        first = pool.submit(one.upscale, [codes(16, 16)], GRAY)
        assert going_on.wait(60)
        with pytest.raises(EmtcmError, match="at work in another thread; give each its own, by another"):
            one.upscale([codes(16, 16)], GRAY)
        assert twin.upscale([codes(16, 16)], GRAY)[0].shape == (32, 32)
        refused.set()
        with pytest.raises(RuntimeError, match="enough"):
            first.result()
    # After a failure the Upscaler is not at work any more.
    with pytest.raises(RuntimeError, match="enough"):
        one.upscale([codes(16, 16)], GRAY)


@pytest.mark.parametrize(
    "plane", [[[1, 2], [3, 4]], Image.new("L", (2, 2)), torch.zeros((2, 2), dtype=torch.uint8)]
)
def test_planes_that_are_no_arrays_are_refused(plane):
    one = Upscaler(2, device="cpu")
    message = f"plane 0 is of the type {type(plane).__name__}; give numpy arrays"
    with pytest.raises(ValueError, match=message):
        one.upscale([plane], GRAY)
    with pytest.raises(ValueError, match=message):
        one.upscale_into([codes(1, 1)], [plane], GRAY)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None,), "format is None; give a PixelFormat"),
        (("gray",), "format is 'gray'; give a PixelFormat"),
        ((PixelFormat(family="gray"), "full"), "color is 'full'; give a Color, or None"),
    ],
)
def test_a_format_or_colour_of_another_kind_is_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Upscaler(2, stages=1).upscale([codes(8, 8)], *arguments)


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
        ({"tile": b"ab"}, "tile is b'ab'; accepted are 0 .never. and sizes from 16"),
        ({"tile": 8}, "tile is 8; accepted are 0 .never. and sizes from 16"),
        ({"tile": (64, 8)}, "tile is"),
        ({"tile": -1}, "tile is -1"),
    ],
)
def test_arguments_that_do_not_exist_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        Upscaler(**arguments)


def test_a_cpu_is_used_without_a_look_at_gpus(monkeypatch):
    def broken():
        raise RuntimeError("no CUDA driver")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "_lazy_init", broken)
    Upscaler(2, device="cpu").upscale([np.zeros((16, 16), np.uint8)], PixelFormat(family="gray"))


@pytest.mark.parametrize("range_", ["limited", "full"])
@pytest.mark.parametrize("family", ["gray", "yuv", "rgb"])
def test_a_deeper_result_is_what_was_rounded_away(family, range_):
    one, color = Upscaler(2, tune="clean", device="cpu"), Color(range=range_)
    format = PixelFormat(family=family)
    ramp = np.round(np.linspace(60, 70, 120)).astype(np.uint8)
    planes = [np.tile(ramp + 20 * i, (24, 1)) for i in range(format.planes)]
    deep = one.upscale(planes, format, color, bits=16)
    for i, (fine, rough) in enumerate(zip(deep, one.upscale(planes, format, color), strict=True)):
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

    one = Upscaler(2, device="cpu")
    monkeypatch.setattr(np, "empty", full)
    with pytest.raises(EmtcmError, match="there is no memory for 16x12 pixels at 2x; a smaller scale"):
        one.upscale([np.zeros((12, 16), np.uint8)], GRAY)

"""Planes become what closed formulas say, of every range, depth, matrix, siting and size."""

import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest

from vs_emtcm import EmtcmError, PixelFormat
from vs_emtcm.chroma import chroma_shift
from vs_emtcm.formats import CHROMA_LOCATIONS
from vs_emtcm.video.zimg import PlaneMeaning, convert

# ITU-T H.273: weights of red and blue by matrix.
WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}


def samples(family, bits=8, range="limited", subsampling=(0, 0), **more):
    format = PixelFormat(family=family, bits=bits, subsampling=subsampling)
    return PlaneMeaning(format=format, range=range, **more)


def codes(values, bits, range, *, chroma=False, matrix=1):
    """Nominal values, 0 to 1 or for chroma -0.5 to 0.5, as codes that are not rounded (H.273, 8.3)."""
    if range == "full":
        return values * ((1 << bits) - 1) + (1 << (bits - 1) if chroma else 0)
    # YCgCo is a matrix of codes, whose range is that of red, green and blue.
    slope, offset = (219 if matrix == 8 else 224, 128) if chroma else (219, 16)
    return (values * slope + offset) * (1 << (bits - 8))


def yuv_of(red, green, blue, matrix):
    if matrix == 8:
        return (red + 2 * green + blue) / 4, (2 * green - red - blue) / 4, (red - blue) / 2
    of_red, of_blue = WEIGHTS[matrix]
    luma = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    return luma, (blue - luma) / (2 * (1 - of_blue)), (red - luma) / (2 * (1 - of_red))


def rounded(values, bits):
    return np.clip(np.round(values), 0, (1 << bits) - 1)


def random_rgb(bits):
    return (
        np.random.default_rng(5).integers(0, 1 << bits, (3, 24, 40)).astype(np.uint8 if bits == 8 else "u2")
    )


@pytest.mark.parametrize("matrix", [*WEIGHTS, 8])
@pytest.mark.parametrize("range", ["limited", "full"])
@pytest.mark.parametrize(
    ("before", "after"), [(8, 8), (8, 10), (10, 8), (10, 10), (12, 10), (16, 10), (16, 16)]
)
def test_rgb_becomes_yuv_by_the_formula(before, after, range, matrix):
    rgb = random_rgb(before)
    result = convert(rgb, samples("rgb", before, "full"), samples("yuv", after, range, matrix=matrix))
    wanted = yuv_of(*(rgb / ((1 << before) - 1)), matrix)
    for index, (plane, values) in enumerate(zip(result, wanted, strict=True)):
        exact = np.clip(codes(values, after, range, chroma=index > 0, matrix=matrix), 0, (1 << after) - 1)
        # zimg calculates in single precision.
        assert np.abs(plane - exact).max() < 0.5 + (0.001 if after < 16 else 0.02)


@pytest.mark.parametrize("matrix", [*WEIGHTS, 8])
@pytest.mark.parametrize("range", ["limited", "full"])
@pytest.mark.parametrize(("before", "after"), [(8, 8), (8, 10), (10, 8), (10, 12), (16, 10)])
def test_yuv_becomes_rgb_by_the_inverse(before, after, range, matrix):
    wanted = np.random.default_rng(6).random((3, 24, 40))
    yuv = [
        rounded(codes(values, before, range, chroma=index > 0, matrix=matrix), before).astype(
            np.uint8 if before == 8 else "u2"
        )
        for index, values in enumerate(yuv_of(*wanted, matrix))
    ]
    result = convert(yuv, samples("yuv", before, range, matrix=matrix), samples("rgb", after, "full"))
    # What was rounded in YUV is at most half a code of luma and nearly one of each chroma, in RGB.
    step = ((1 << after) - 1) / (219 if range == "limited" else 255) / (1 << (before - 8))
    for plane, values in zip(result, wanted, strict=True):
        error = plane - values * ((1 << after) - 1)
        assert np.abs(error).max() < 0.51 + 2 * step
        assert abs(error.mean()) < 0.1 * step + 0.02


@pytest.mark.parametrize(("bits", "black", "white", "grey"), [(8, 16, 235, 128), (10, 64, 940, 512)])
@pytest.mark.parametrize("source", [8, 10, 12, 16])
@pytest.mark.parametrize("subsampling", [(0, 0), (1, 0), (1, 1)])
def test_black_and_white_are_what_standards_say(source, bits, black, white, grey, subsampling):
    for level, luma in ((0, black), ((1 << source) - 1, white)):
        plane = np.full((10, 14), level, np.uint8 if source == 8 else np.uint16)
        target = samples("yuv", bits, subsampling=subsampling)
        result = convert([plane] * 3, samples("rgb", source, "full"), target)
        assert [np.unique(each).tolist() for each in result] == [[luma], [grey], [grey]]
        back = convert(result, target, samples("rgb", source, "full"))
        assert all((each == level).all() for each in back)


@pytest.mark.parametrize("ranges", list(itertools.product(["limited", "full"], repeat=2)))
@pytest.mark.parametrize(("before", "after"), [(8, 8), (8, 10), (10, 8), (16, 8), (16, 10), (12, 16)])
def test_range_and_depth_of_every_level(before, after, ranges):
    levels = np.arange(0, 1 << before, max(1, (1 << before) // 8192), dtype=np.uint8 if before == 8 else "u2")
    full = (1 << before) - 1
    for family, planes in (("gray", 1), ("yuv", 3)):
        result = convert(
            [levels[None]] * planes, samples(family, before, ranges[0]), samples(family, after, ranges[1])
        )
        for index, plane in enumerate(result):
            chroma = index > 0
            slope, offset = (224, 128) if chroma else (219, 16)
            if ranges[0] == "full":
                nominal = (levels.astype(float) - (1 << (before - 1) if chroma else 0)) / full
            else:
                nominal = (levels / (1 << (before - 8)) - offset) / slope
            exact = np.clip(codes(nominal, after, ranges[1], chroma=chroma), 0, (1 << after) - 1)
            assert np.abs(plane - exact).max() < 0.5 + (0.001 if after < 16 else 0.02)


@pytest.mark.parametrize("location", CHROMA_LOCATIONS)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        *(((1, 1), (0, 0)), ((0, 0), (1, 1)), ((1, 0), (1, 1)), ((1, 1), (1, 0)), ((1, 0), (0, 0))),
        *(((0, 0), (1, 0)), ((2, 0), (1, 0)), ((2, 2), (1, 1)), ((0, 1), (1, 1)), ((0, 0), (2, 0))),
    ],
)
@pytest.mark.parametrize(("width", "height"), [(64, 48), (67, 49)])
def test_chroma_stays_in_its_place(before, after, location, width, height):
    formats = [samples("yuv", 16, subsampling=s, chroma_location=location) for s in (before, after)]
    (rows, columns), (result_rows, result_columns) = (places(each, width, height) for each in formats)
    # Slopes across and down, in steps of a pixel of luma.
    across = np.round(8000 + 240 * (columns[None, :] + 0 * rows[:, None])).astype(np.uint16)
    down = np.round(8000 + 240 * (rows[:, None] + 0 * columns[None, :])).astype(np.uint16)
    luma = np.full((height, width), 30_000, np.uint16)
    result = convert([luma, across, down], *formats)
    np.testing.assert_array_equal(result[0], luma)
    assert result[1].shape == result[2].shape == (len(result_rows), len(result_columns))
    inside = np.s_[4:-5, 4:-5]
    for plane, wanted in ((result[1], result_columns[None, :]), (result[2], result_rows[:, None])):
        error = (plane.astype(float) - 8000) / 240 - wanted
        assert np.abs(error[inside]).max() < 0.01


@pytest.mark.parametrize(("location", "place"), [("left", 31.5), ("center", 32.0)])
@pytest.mark.parametrize("family", ["yuv", "rgb"])
def test_an_edge_of_chroma_becomes_one_of_full_size_where_it_lies(location, place, family):
    # Sample 15 of chroma, and all before it, against those behind: its two pixels are 30 and 31.
    chroma = np.where(np.arange(32) < 16, 100, 160).astype(np.uint8)[None].repeat(8, axis=0)
    planes = [np.full((16, 64), 128, np.uint8), chroma, np.full((8, 32), 128, np.uint8)]
    source = samples("yuv", subsampling=(1, 1), chroma_location=location)
    range = "full" if family == "rgb" else "limited"
    plane = convert(planes, source, samples(family, range=range))[2 if family == "rgb" else 1]
    steps = np.diff(plane[8].astype(float))
    # The mean place of the steps, as the boundary that lies before a pixel.
    centroid = (steps * (np.arange(63) + 1)).sum() / steps.sum()
    assert centroid == pytest.approx(place, abs=0.02)


def test_chroma_moves_from_one_place_to_another():
    source = samples("yuv", 16, subsampling=(1, 0), chroma_location="center")
    target = samples("yuv", 16, subsampling=(1, 0), chroma_location="left")
    ramp = (8000 + 200 * np.arange(32, dtype=np.uint16))[None].repeat(8, axis=0)
    luma = np.full((8, 64), 9000, np.uint16)
    _, moved, _ = convert([luma, ramp, ramp], source, target)
    # Half a pixel is a quarter of a sample.
    np.testing.assert_array_equal(moved[:, 4:-4], ramp[:, 4:-4] - 50)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 5), (2, 1), (33, 2)])
@pytest.mark.parametrize("before", [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 2)])
@pytest.mark.parametrize("after", [(0, 0), (1, 1), (2, 2)])
def test_flat_fields_of_any_size_stay_flat(width, height, before, after):
    source, target = (samples("yuv", 10, subsampling=each) for each in (before, after))
    shapes = [source.format.plane_shape(index, width, height) for index in range(3)]
    planes = [np.full(shape, 301 + index, np.uint16) for index, shape in enumerate(shapes)]
    for index, plane in enumerate(convert(planes, source, target)):
        assert plane.shape == target.format.plane_shape(index, width, height)
        assert (plane == 301 + index).all()


def test_float_samples():
    values = np.linspace(0, 1, 16, dtype=np.float32).reshape(2, 8)
    floats = PlaneMeaning(format=PixelFormat(family="rgb", bits=32, sample_type="float"), range="full")
    result = convert([values] * 3, floats, samples("rgb", 16, "full"))
    assert np.abs(result[0] - values * 65535.0).max() < 0.51
    np.testing.assert_allclose(convert(result, samples("rgb", 16, "full"), floats)[0], values, atol=1e-5)


def test_several_threads_at_once():
    planes = random_rgb(8)
    source, target = samples("rgb", range="full"), samples("yuv", subsampling=(1, 1))
    wanted = convert(planes, source, target)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(convert(planes, source, target))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    for result in results:
        for plane, expected in zip(result, wanted, strict=True):
            np.testing.assert_array_equal(plane, expected)


def places(samples, width, height):
    """Of the rows and columns of chroma, in pixels of luma."""
    shape = samples.format.plane_shape(1, width, height)[::-1]
    shift = chroma_shift(samples.format.subsampling, samples.chroma_location)
    across, down = (
        (np.arange(number) + 0.5 + moved) * (1 << log2) - 0.5
        for number, moved, log2 in zip(shape, shift, samples.format.subsampling, strict=True)
    )
    return down, across


HOST = """
import sys
import numpy as np
from vs_emtcm import EmtcmError, PixelFormat
from vs_emtcm.video import upscale_video
from vs_emtcm.video.zimg import PlaneMeaning, convert
assert "vapoursynth" not in sys.modules
import vapoursynth as vs

class Policy(vs.EnvironmentPolicy):
    current = None
    def on_policy_registered(self, api):
        self.api = api
    def on_policy_cleared(self):
        pass
    def get_current_environment(self):
        return self.current
    def set_environment(self, environment):
        self.current, before = environment, self.current
        return before
    def is_alive(self, environment):
        return True

policy = Policy()
vs.register_policy(policy)
data = policy.api.create_environment()
source = PlaneMeaning(format=PixelFormat(family="rgb"), range="full")
target = PlaneMeaning(format=PixelFormat(family="yuv"), range="limited")
white = [np.full((4, 4), 255, np.uint8)] * 3
with policy.api.wrap_environment(data).use():
    assert convert(white, source, target)[0][0, 0] == 235
    assert policy.current is not None
try:
    convert(white, source, target)
except EmtcmError as error:
    print(error)
policy.api.destroy_environment(data)
"""


def test_the_environment_of_a_host_is_used_as_it_is():
    done = subprocess.run(
        [sys.executable, "-c", HOST], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.startswith("colours cannot be converted, as VapourSynth fails: no environment")
    assert done.stderr == ""


def test_the_process_ends_after_a_conversion_in_a_thread():
    program = """
import threading
import numpy as np
from vs_emtcm import PixelFormat
from vs_emtcm.video.zimg import PlaneMeaning, convert
planes = [np.zeros((32, 32), np.uint8)] * 3
samples = [PlaneMeaning(format=PixelFormat(family=family), range="full") for family in ("rgb", "yuv")]
thread = threading.Thread(target=convert, args=(planes, *samples))
thread.start()
thread.join()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == done.stderr == ""


def test_a_failure_is_a_sentence():
    with pytest.raises(EmtcmError, match=r"^colours cannot be converted, as VapourSynth fails: "):
        # No matrix of constant luminance without a transfer.
        convert(random_rgb(8), samples("rgb", range="full"), samples("yuv", matrix=10))

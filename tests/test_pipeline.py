"""Whole frames: luma, chroma and colours belong together, noise goes, and faint detail stays."""

import weakref

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.material import codes, texture
from vs_emtcm import Color, PixelFormat, Upscaler, chroma, noise, resample
from vs_emtcm.formats import full_scale
from vs_emtcm.pipeline import upscaled_planes

GRAY = PixelFormat(family="gray")


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
    # A dark film, whose noise is as large as its detail.
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


def upscaled_and_as_if_noisy(upscaler, source, monkeypatch):
    """Luma in code values of 8 bits: as it is, and as if the frame were full of noise."""
    results = [upscaler.upscale([source], GRAY, bits=16)[0] / 256]
    with monkeypatch.context() as patch:
        patch.setattr("vs_emtcm.noise.noise_floor", lambda *_: torch.tensor([torch.inf]))
        results.append(upscaler.upscale([source], GRAY, bits=16)[0] / 256)
    return results


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_faint_texture_comes_back_from_a_clean_frame_and_not_from_a_noisy_one(scale, monkeypatch):
    upscaler = Upscaler(scale)
    truth = 100 + 6 * texture(48 * scale, 64 * scale)
    low = truth.reshape(48, scale, 64, scale).mean((1, 3))
    ours, as_noisy = upscaled_and_as_if_noisy(upscaler, np.round(low).astype(np.uint8), monkeypatch)
    assert np.square(ours - truth).mean() < 0.9 * np.square(as_noisy - truth).mean()
    noisy = low + np.random.default_rng(0).normal(0, 6, low.shape)
    ours, as_noisy = upscaled_and_as_if_noisy(upscaler, np.round(noisy).astype(np.uint8), monkeypatch)
    assert np.abs(ours - as_noisy).max() < 0.1


@pytest.mark.parametrize("spread", [0, 2, 4])
def test_black_bars_change_nothing_of_the_rest(spread):
    upscaler, rng = Upscaler(2), np.random.default_rng(0)
    picture = 60 + 80 * texture(100, 120) + rng.normal(0, spread, (100, 120))
    picture = np.round(picture).astype(np.uint8)
    barred = np.pad(picture, ((53, 53), (0, 0)), constant_values=16)
    alone, between = (upscaler.upscale([source], GRAY, bits=16)[0] / 256 for source in (picture, barred))
    # The network sees the bars near the picture's edges, which are left out.
    assert np.abs(between[106:306] - alone)[60:-60].max() < 0.1


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_low_contrast_picture_is_nearer_to_the_truth_than_by_the_network_alone(scale, monkeypatch):
    truth = np.round(100 + 12 * texture(24 * scale, 32 * scale)).astype(np.float32)
    source = truth.reshape(24, scale, 32, scale).mean((1, 3))
    grey = PixelFormat(family="gray", bits=32, sample_type="float")
    planes = [((source - 16) / 219).astype(np.float32)]
    upscaler = Upscaler(scale)
    ours = upscaler.upscale(planes, grey)[0] * 219 + 16
    monkeypatch.setattr("vs_emtcm.noise.restore_detail", lambda upscaled, *_: upscaled)
    alone = upscaler.upscale(planes, grey)[0] * 219 + 16
    assert np.square(ours - truth).mean() < 0.9 * np.square(alone - truth).mean()


@pytest.mark.parametrize("family", ["yuv", "rgb"])
def test_only_models_that_take_noise_away_take_it_from_chroma(family):
    rng = np.random.default_rng(0)
    planes = [np.clip(rng.normal(128, 5, (48, 64)), 0, 255).astype(np.uint8) for _ in range(3)]
    if family == "rgb":
        planes = [
            np.clip(planes[0].astype(int) + p.astype(int) - 128, 0, 255).astype(np.uint8) for p in planes
        ]
    spread = {}
    for tune in ("video", "clean"):
        results = Upscaler(2, tune=tune).upscale(planes, PixelFormat(family=family))
        first, _, last = (result.astype(float) for result in results)
        spread[tune] = (last - first if family == "rgb" else last).std()
    assert spread["video"] < 0.6 * spread["clean"]


@pytest.mark.parametrize("family", ["yuv", "rgb"])
@pytest.mark.parametrize("strange", [np.nan, np.inf, 60000.0])
def test_one_strange_sample_spoils_its_surroundings_alone(family, strange):
    format = PixelFormat(family=family, bits=32, sample_type="float")
    planes = [texture(96, 96, seed=i).astype(np.float32) for i in range(3)]
    upscaler = Upscaler(2, stages=1)
    expected = upscaler.upscale(planes, format)
    planes[0][0, 0] = strange
    for result, wanted in zip(upscaler.upscale(planes, format), expected, strict=True):
        np.testing.assert_allclose(result[100:, 100:], wanted[100:, 100:], atol=1e-3)


def test_values_far_above_white_do_not_explode():
    format = PixelFormat(family="rgb", bits=32, sample_type="float")
    bright = 30 + 0.002 * np.random.default_rng(0).normal(size=(48, 96))
    planes = [np.where(np.arange(96) < 32, 0.1, bright).astype(np.float32) for _ in range(3)]
    for result in Upscaler(2, stages=1).upscale(planes, format):
        assert np.abs(result[:, 120:] - 30).max() < 0.1


class Waiting(TorchDispatchMode):
    """Refuses operations that wait for the device, which a CUDA graph cannot hold."""

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


def doubled(luma):
    """A network that repeats every pixel."""
    return luma.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def frame_of(format):
    return [255 * torch.rand(1, 1, *format.plane_shape(index, 24, 20)) for index in range(format.planes)]


@pytest.mark.parametrize("denoises", [True, False])
def test_upscaled_luma_is_out_of_memory_before_chroma_is_upscaled(monkeypatch, denoises):
    format = PixelFormat(family="yuv", subsampling=(1, 1))
    planes = upscaled_planes(frame_of(format), format, Color(), doubled, scale=2, denoises=denoises)
    luma = weakref.ref(next(planes))
    upscale, held = chroma.upscale, []

    def watched(*arguments):
        held.append(luma() is not None)
        return upscale(*arguments)

    monkeypatch.setattr(chroma, "upscale", watched)
    assert len(list(planes)) == 2
    assert held == [False, False]


def test_the_residual_is_out_of_memory_before_colours_are_upscaled(monkeypatch):
    format = PixelFormat(family="rgb", alpha=True)
    statistics, upscale, residuals, held = noise.luma_statistics, chroma.upscale_channel, [], []

    def kept(denoised, residual, code_step):
        residuals.append(weakref.ref(residual))
        return statistics(denoised, residual, code_step)

    def watched(*arguments):
        held.append(residuals[0]() is not None)
        return upscale(*arguments)

    monkeypatch.setattr(noise, "luma_statistics", kept)
    monkeypatch.setattr(chroma, "upscale_channel", watched)
    planes = upscaled_planes(frame_of(format), format, Color(), doubled, scale=2, denoises=True)
    assert len(list(planes)) == 4
    assert held == [False] * 3

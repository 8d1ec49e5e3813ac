"""OpenVINO in bfloat16 stays within what an eye or a score could tell from single precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.material import codes
from vs_emtcm import PixelFormat, Upscaler, UsageError, models
from vs_emtcm.engines import choice, create_engine
from vs_emtcm.engines.cpu_engine import CpuEngine
from vs_emtcm.engines.openvino_bfloat16 import OpenvinoBfloat16Engine
from vs_emtcm.mirror import mirrored
from vs_emtcm.weights_file import load_weights

WEIGHTS = load_weights(models.find("base", "video").path, 2)
MODELS = [(name, tune) for name in ("base", "large") for tune in ("clean", "video")]
needs_bfloat16 = pytest.mark.skipif(
    choice.bfloat16_missing() is not None, reason="the processor does not multiply bfloat16"
)


def picture(height: int = 120, width: int = 160) -> torch.Tensor:
    return torch.from_numpy(codes(height, width).astype("float32") / 255)[None, None]


@needs_bfloat16
def test_an_engine_is_made_under_another_default_device():
    x = mirrored(picture(), OpenvinoBfloat16Engine(WEIGHTS, 2).radius)
    expected = OpenvinoBfloat16Engine(WEIGHTS, 2)(x)
    with torch.device("meta"):
        found = OpenvinoBfloat16Engine(WEIGHTS, 2)(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@needs_bfloat16
@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("stages", [1, 2])
def test_a_picture_is_as_in_single_precision(model, scale, stages):
    weights = load_weights(models.find(*model).path, scale)
    ours, exact = OpenvinoBfloat16Engine(weights, stages), CpuEngine(weights, stages)
    x = mirrored(picture(), ours.radius)
    with torch.inference_mode():
        difference = (ours(x) - exact(x)) * 255
    # Of photographs it is a third of that.
    assert difference.square().mean().sqrt() < 0.2
    assert difference.abs().max() < 5
    assert difference.mean().abs() < 0.05


@needs_bfloat16
@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_flat_field_stays_flat(model, scale):
    upscaler = Upscaler(scale, model=model[0], tune=model[1], backend="openvino-bf16")
    for bits in (8, 10, 12, 16):
        format = PixelFormat(family="gray", bits=bits)
        for level in (0, 16, 17, 100, 163, 235, 255):
            value = level * ((1 << bits) - 1) // 255
            (result,) = upscaler.upscale([np.full((12, 16), value, format.dtype)], format)
            np.testing.assert_array_equal(result, value)


@needs_bfloat16
def test_a_slow_ramp_of_16_bits_keeps_its_steps():
    ramp = np.tile(np.arange(30000, 30000 + 240, dtype=np.uint16), (24, 1))
    format = PixelFormat(family="gray", bits=16)
    (result,) = Upscaler(2, tune="clean", backend="openvino-bf16").upscale([ramp], format)
    expected = 30000 + (np.arange(480) + 0.5) / 2 - 0.5
    # Less than a quarter of a code value of 8 bits, where a bfloat16 pixel would be off by up to one.
    assert np.abs(result[:, 40:-40] - expected[40:-40]).max() < 64


@needs_bfloat16
def test_it_is_taken_when_asked_for_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    asked = create_engine(WEIGHTS, stages=1, backend="openvino-bf16", device="auto")
    assert asked.description.endswith("on cpu, bfloat16")
    for backend in ("auto", "openvino"):
        engine = create_engine(WEIGHTS, stages=1, backend=backend, device="auto")
        assert not isinstance(engine, OpenvinoBfloat16Engine)


@needs_bfloat16
def test_lanes_share_what_is_no_threads_own():
    engine = OpenvinoBfloat16Engine(WEIGHTS, 1)
    other = engine.another()
    x = mirrored(picture(), engine.radius)
    with torch.inference_mode():
        np.testing.assert_array_equal(engine(x).numpy(), other(x).numpy())
    assert other._split is engine._split


@pytest.mark.parametrize("name", ["amx_bf16", "avx512_bf16"])
def test_either_way_to_multiply_bfloat16_is_enough(monkeypatch, name):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {name: True}, raising=False)
    assert choice.bfloat16_missing() is None


@pytest.mark.parametrize("found", [{}, {"amx_bf16": False, "avx512_bf16": False, "avx512_f": True}])
def test_a_processor_that_does_not_multiply_bfloat16_is_refused(monkeypatch, found):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    with pytest.raises(
        UsageError, match="'openvino-bf16' is not usable: PyTorch finds neither AMX nor AVX512-BF16"
    ):
        create_engine(WEIGHTS, stages=1, backend="openvino-bf16", device="auto")

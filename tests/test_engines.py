"""The engine that is asked for is the engine that runs."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import codes, texture
from vs_emtcm import EmtcmError, UsageError, models
from vs_emtcm.engines import availabilities, choice, choose_device, create_engine
from vs_emtcm.engines.half import from_half, to_half
from vs_emtcm.engines.weights import load_network
from vs_emtcm.mirror import mirrored
from vs_emtcm.network import DetailNetwork, Network

WEIGHTS = models.load(models.find("base", "clean").path, 2)


@pytest.mark.parametrize("stages", [1, 2])
def test_the_torch_engine_is_the_network(stages):
    engine = create_engine(WEIGHTS, stages=stages, backend="torch", device="cpu")
    network = Network(2, WEIGHTS.shape)
    network.load_state_dict({k: torch.from_numpy(v) for k, v in WEIGHTS.tensors.items()})
    x = torch.from_numpy(texture(20, 30)).float()[None, None]
    padded = mirrored(x, engine.radius)
    with torch.inference_mode():
        result = engine(padded)
        expected = network.estimates(padded)[stages - 1]
    assert result.shape == (1, 1, 40, 60)
    torch.testing.assert_close(result, expected)


def test_the_number_of_threads_changes_no_bit():
    engine = create_engine(WEIGHTS, stages=2, backend="torch", device="cpu")
    x = torch.rand(1, 1, 150, 200)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            with torch.inference_mode():
                results.append(engine(x).numpy())
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_auto_is_the_first_that_works():
    first = next(a for a in availabilities() if a.reason is None)
    assert choose_device("auto").type == first.device


def test_an_explicit_choice_never_falls_back(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match="device 'cuda' is not usable: PyTorch finds no NVIDIA GPU"):
        choose_device("cuda")
    works = {(a.backend, a.device): a.reason is None for a in availabilities()}
    assert list(works) == [
        ("tensorrt", "cuda"),
        ("torch", "cuda"),
        ("openvino", "cpu"),
        ("torch", "cpu"),
        ("openvino-bf16", "cpu"),
    ]
    assert not works["tensorrt", "cuda"]
    assert not works["torch", "cuda"]
    assert works["torch", "cpu"]


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (
            RuntimeError("The NVIDIA driver on your system is too old (found version 11040)."),
            "update the driver",
        ),
        (
            AssertionError("Torch not compiled with CUDA enabled"),
            "is made without CUDA; install it with CUDA",
        ),
        (RuntimeError("No CUDA GPUs are available"), "finds no NVIDIA GPU and driver"),
    ],
)
def test_what_keeps_pytorch_from_the_gpu_is_named(monkeypatch, report, reason):
    def init():
        raise report

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    with pytest.raises(UsageError, match=f"{reason}; or use device 'cpu'"):
        choose_device("cuda")
    assert availabilities()[1].reason.endswith(reason)


def test_devices_are_counted(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda", 0)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UsageError, match="'cuda:2' does not exist; there are 2"):
        choose_device("cuda:2")


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "", "cpu:0"])
def test_unknown_devices_are_refused(device):
    with pytest.raises(UsageError, match="accepted are auto, cpu, cuda and cuda:N"):
        choose_device(device)


NO_KERNEL = "CUDA error: no kernel image is available for execution on the device"


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_a_gpu_that_pytorch_cannot_use_gives_way_to_the_cpu(monkeypatch, caplog, backend):
    def no_kernel(*_):
        raise RuntimeError(f"{NO_KERNEL}\nCUDA kernel errors might be asynchronously reported")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", no_kernel)
    monkeypatch.setattr(choice, "tensorrt_missing", lambda: "not here")
    monkeypatch.setattr(choice, "openvino_missing", lambda: "not here")
    engine = create_engine(WEIGHTS, stages=1, backend=backend, device="auto")
    assert engine.device == torch.device("cpu")
    refusal = f"backend 'torch': the GPU cannot be used ({NO_KERNEL}); or use device 'cpu'"
    assert caplog.messages == [f"emtcm: {refusal}; going on with PyTorch on the CPU"]
    with pytest.raises(EmtcmError, match=re.escape(refusal)):
        create_engine(WEIGHTS, stages=1, backend=backend, device="cuda")


def test_damaged_weights_are_said_once(caplog):
    tensors = {name: tensor for name, tensor in WEIGHTS.tensors.items() if name != "body1.1.conv.weight"}
    with pytest.raises(UsageError, match=r"the weights of x2 are damaged: body1.1.conv.weight is missing"):
        create_engine(replace(WEIGHTS, tensors=tensors), stages=1, backend="auto", device="auto")
    assert not caplog.records


def test_unknown_backends_are_refused():
    with pytest.raises(
        UsageError, match="backend is 'opencl'; accepted are auto, tensorrt, openvino, openvino-bf16, torch"
    ):
        create_engine(WEIGHTS, stages=2, backend="opencl", device="cpu")


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("model", models.SHIPPED, ids=lambda model: f"{model.name}-{model.tune}")
def test_half_precision_stays_within_the_rounding_of_the_samples(model, scale, bits):
    weights = models.load(model.path, scale)
    network = load_network(weights, 2)
    picture = codes(72, 96, bits=bits).astype(np.float32) / (255 << (bits - 8))
    x = mirrored(torch.from_numpy(picture)[None, None], network.radius)
    with torch.inference_mode():
        expected = network.estimates(x)[-1]
        half = DetailNetwork(network).half()
        result = from_half(x, half(to_half(x)), scale)
    full = 255 << (bits - 8)
    difference = ((result * full).round() - (expected * full).round()).abs()
    # The picture is far sharper than film: its details, and so the errors, are far larger.
    assert float((difference <= 1 << (bits - 8)).float().mean()) >= 0.999
    assert float(difference.max()) <= 2 << (bits - 8)


def test_half_precision_keeps_12_bit_levels_of_a_flat_field():
    network = load_network(WEIGHTS, 2)
    half = DetailNetwork(network).half()
    for level in (0.0, 257 / 4095, 0.5, 3751 / 4095, 1.0):
        x = torch.full((1, 1, 40, 40), level)
        with torch.inference_mode():
            result = from_half(x, half(to_half(x)), 2)
        assert float((result - level).abs().max()) * 4095 < 0.5


def test_half_precision_of_extreme_pictures_is_finite():
    network = load_network(WEIGHTS, 2)
    half = DetailNetwork(network).half()
    y, x = torch.meshgrid(torch.arange(60), torch.arange(60), indexing="ij")
    checkers = ((x + y) % 2).float()[None, None] * 3 - 1
    with torch.inference_mode():
        for picture in (checkers, torch.zeros(1, 1, 60, 60), torch.full((1, 1, 60, 60), 2.0)):
            assert from_half(picture, half(to_half(picture)), 2).isfinite().all()


@pytest.mark.parametrize("scale", models.SCALES)
@pytest.mark.parametrize("model", models.SHIPPED, ids=lambda model: f"{model.name}-{model.tune}")
def test_half_precision_of_1_bit_noise_is_finite(model, scale):
    # Nothing is farther from what a network was trained on; one that was trained too hard explodes.
    noise = np.random.default_rng(0).integers(0, 2, (1, 1, 300, 400))
    half = DetailNetwork(load_network(models.load(model.path, scale), 2)).half()
    picture = torch.from_numpy(noise).float()
    with torch.inference_mode():
        result = from_half(picture, half(to_half(picture)), scale)
    assert float(result.abs().max()) < 50


def test_tensorrt_is_refused_with_the_part_that_is_missing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="backend 'tensorrt' is not usable: PyTorch finds no NVIDIA"):
        create_engine(WEIGHTS, stages=2, backend="tensorrt", device="auto")
    with pytest.raises(UsageError, match="it runs on CUDA devices alone"):
        create_engine(WEIGHTS, stages=2, backend="tensorrt", device="cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert availabilities()[0].reason is not None
    with pytest.raises(UsageError, match="run 'pip install torch-tensorrt-rtx=="):
        create_engine(WEIGHTS, stages=2, backend="tensorrt", device="cuda")


def test_the_product_needs_neither_tensorrt_nor_openvino():
    names = ("torch_tensorrt", "tensorrt", "openvino")
    blocked = f"import sys; sys.modules.update(dict.fromkeys({names}))\n"
    code = (
        blocked + "import vs_emtcm; vs_emtcm.Upscaler(2, device='cpu')\nassert 'trt_build' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", blocked + code], check=True, capture_output=True)

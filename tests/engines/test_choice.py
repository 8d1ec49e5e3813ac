"""The engine that is asked for is the engine that runs."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from vs_emtcm import EmtcmError, UsageError, models
from vs_emtcm.engines import BACKENDS, availabilities, choose_device, create_engine
from vs_emtcm.weights_file import load_weights

WEIGHTS = load_weights(models.find("base", "clean").path, 2)


def test_every_backend_can_be_asked_for():
    assert sorted({"auto", *(a.backend for a in availabilities())}) == sorted(BACKENDS)


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
    # Neither TensorRT nor OpenVINO.
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
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


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_what_another_program_has_made_the_default_changes_nothing(backend):
    x = torch.rand(1, 1, 50, 60)
    engine = create_engine(WEIGHTS, stages=1, backend=backend, device="cpu")
    torch.set_default_dtype(torch.float16)
    try:
        other = create_engine(WEIGHTS, stages=1, backend=backend, device="cpu")
        with torch.inference_mode():
            assert torch.equal(other(x), engine(x))
    finally:
        torch.set_default_dtype(torch.float32)

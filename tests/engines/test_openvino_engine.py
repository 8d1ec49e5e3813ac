"""OpenVINO gives what the network gives in single precision, whatever the size, threads and lanes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.material import codes
from vs_emtcm import EmtcmError, PixelFormat, Upscaler, UsageError, models
from vs_emtcm.engines import availabilities, choose_device, create_engine, openvino_engine
from vs_emtcm.engines.cpu_engine import CpuEngine
from vs_emtcm.engines.openvino_engine import SIZES, OpenvinoEngine
from vs_emtcm.mirror import mirrored
from vs_emtcm.weights_file import load_weights

WEIGHTS = load_weights(models.find("base", "video").path, 2)
NETWORKS = [(name, scale, stages) for name in ("base", "large") for scale in (2, 3, 4) for stages in (1, 2)]


@cache
def engines(name, scale, stages):
    weights = load_weights(models.find(name, "video").path, scale)
    return OpenvinoEngine(weights, stages), CpuEngine(weights, stages)


@pytest.fixture
def engine():
    return OpenvinoEngine(WEIGHTS, 2)


@pytest.fixture
def threads():
    """What sets PyTorch's number of threads, for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def bordered(height, width, radius, seed=0):
    picture = torch.from_numpy(codes(height, width, seed=seed).astype("float32") / 255)[None, None]
    return mirrored(picture, radius)


def assert_is_the_network(network, height, width):
    ours, torchs = engines(*network)
    x = bordered(height, width, ours.radius)
    assert ours.radius == torchs.radius
    with torch.inference_mode():
        result, expected = ours(x), torchs(x)
    _, scale, _ = network
    assert result.shape == expected.shape == (1, 1, scale * height, scale * width)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_every_network_is_the_same_in_single_precision(network):
    assert_is_the_network(network, 60, 83)


@settings(max_examples=20)
@given(height=st.integers(1, 70), width=st.integers(1, 70), network=st.sampled_from(NETWORKS))
def test_any_size_works(height, width, network):
    assert_is_the_network(network, height, width)


@pytest.mark.parametrize("stages", [1, 2])
def test_the_number_of_threads_changes_no_bit(stages, threads):
    engine = OpenvinoEngine(WEIGHTS, stages)
    x = bordered(150, 200, engine.radius)
    results = []
    for number in (1, 2, 3):
        threads(number)
        with torch.inference_mode():
            results.append(engine(x).numpy())
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_it_takes_as_many_threads_as_pytorch(engine, threads):
    # Of a size that it knows already, too.
    for number in (1, 2, 1):
        threads(number)
        request = engine._request(torch.Size((1, 1, 40, 40)), torch.get_num_threads())
        assert request.get_compiled_model().get_property("INFERENCE_NUM_THREADS") == number


def test_lanes_change_no_bit():
    first = OpenvinoEngine(WEIGHTS, 2)
    lanes = [first, *(first.another() for _ in range(3))]
    pictures = [bordered(60, 80, lanes[0].radius, seed=i) for i in range(4)]

    def work(lane):
        return [lanes[lane](picture) for picture in pictures]

    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(work, range(4)))
    alone = work(0)
    for results in at_once:
        for result, expected in zip(results, alone, strict=True):
            np.testing.assert_array_equal(result.numpy(), expected.numpy())


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_tiles_leave_no_seam(scale, stages):
    luma = codes(113, 150, bits=16)
    format = PixelFormat(family="gray", bits=16)
    options = {"stages": stages, "backend": "openvino"}
    whole = Upscaler(scale, tile=0, **options).upscale([luma], format)[0].astype(int)
    tiled = Upscaler(scale, tile=(64, 47), **options).upscale([luma], format)[0].astype(int)
    assert np.abs(whole - tiled).max() <= 2


def test_parts_of_a_larger_picture_are_taken_as_they_are(engine):
    large = bordered(50, 90, engine.radius)
    part = large[..., 5:60, 7:80]
    with torch.inference_mode():
        np.testing.assert_array_equal(engine(part).numpy(), engine(part.contiguous()).numpy())


def test_a_result_outlives_the_next_frame(engine):
    first, second = (bordered(40, 50, engine.radius, seed=i) for i in range(2))
    with torch.inference_mode():
        result = engine(first)
        kept = result.clone()
        engine(second)
    np.testing.assert_array_equal(result.numpy(), kept.numpy())


@pytest.fixture
def compiled(engine, monkeypatch):
    """The widths that the engine compiled, in order."""
    widths = []
    compile_ = engine._compiled

    def record(shape, number):
        widths.append(shape[-1])
        return compile_(shape, number)

    engine.release()
    monkeypatch.setattr(engine, "_compiled", record)
    return widths


def test_a_size_is_compiled_once_while_it_is_kept(engine, compiled):
    widths = [40 + i for i in range(SIZES)]
    for width in (*widths, *widths, 30, widths[0], widths[-1]):
        engine(torch.zeros(1, 1, 40, width))
    assert compiled == [*widths, 30, widths[0]]
    engine.release()
    engine(torch.zeros(1, 1, 40, 30))
    assert compiled[-1] == 30


def test_the_size_that_was_not_used_for_longest_makes_room(engine, compiled):
    widths = [40 + i for i in range(SIZES)]
    for width in (*widths, widths[0], 30, widths[0]):
        engine(torch.zeros(1, 1, 40, width))
    assert compiled == [*widths, 30]


def test_large_sizes_are_not_kept_beside_each_other(engine, compiled, monkeypatch):
    monkeypatch.setattr(openvino_engine, "PIXELS", 40 * 100)
    for width in (50, 50, 40, 50, 90, 90, 50, 120, 120):
        engine(torch.zeros(1, 1, 40, width))
    assert compiled == [50, 40, 90, 50, 120]


def test_it_is_chosen_if_it_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for backend, device in (("auto", "auto"), ("auto", "cpu"), ("openvino", "auto"), ("openvino", "cpu")):
        engine = create_engine(WEIGHTS, stages=1, backend=backend, device=device)
        assert engine.description.startswith("OpenVINO 20")
    assert next(a for a in availabilities() if a.reason is None).backend == "openvino"
    torchs = create_engine(WEIGHTS, stages=1, backend="torch", device="cpu")
    assert isinstance(torchs, CpuEngine)


def test_without_it_auto_is_pytorch_and_an_explicit_choice_an_error(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    wanted = "backend 'openvino' is not usable: OpenVINO is not installed; run 'pip install openvino'; or use"
    with pytest.raises(UsageError, match=wanted):
        create_engine(WEIGHTS, stages=1, backend="openvino", device="auto")
    assert isinstance(create_engine(WEIGHTS, stages=1, backend="auto", device="auto"), CpuEngine)
    assert [a.reason for a in availabilities() if a.backend == "openvino"] == [
        "OpenVINO is not installed; run 'pip install openvino'"
    ]
    assert not caplog.records


def test_an_interruption_of_its_import_is_no_failure(monkeypatch):
    def interrupted():
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr(openvino_engine, "_openvino", interrupted)
    with pytest.raises(KeyboardInterrupt):
        create_engine(WEIGHTS, stages=1, backend="auto", device="cpu")


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
@pytest.mark.parametrize("gpu", [False, True])
def test_gpus_are_refused(device, gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    with pytest.raises(UsageError, match=f"not usable on device '{device}': it runs on the CPU alone; use"):
        create_engine(WEIGHTS, stages=1, backend="openvino", device=device)


def test_beside_a_gpu_it_still_runs_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("auto", "openvino") == torch.device("cpu")
    assert create_engine(WEIGHTS, stages=1, backend="openvino", device="auto").device.type == "cpu"


def no_import():
    raise ImportError("libopenvino.so: cannot open\nshared object file")


def no_plugin():
    class Core:
        def compile_model(self, *_):
            raise RuntimeError("Exception from core.cpp:\nthe CPU is not supported\n")

    openvino = openvino_engine.importlib.import_module("openvino")
    return type("openvino", (), {**vars(openvino), "Core": Core})


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (no_import, "libopenvino.so: cannot open shared object file"),
        (no_plugin, "Exception from core.cpp: the CPU is not supported"),
    ],
)
def test_a_broken_installation_is_one_sentence_and_auto_goes_on(broken, words, monkeypatch, caplog):
    monkeypatch.setattr(openvino_engine, "_openvino", broken)
    message = f"backend 'openvino': OpenVINO does not work here ({words}); install it again with 'pip"
    with pytest.raises(EmtcmError) as refused:
        create_engine(WEIGHTS, stages=1, backend="openvino", device="cpu")
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)
    assert not caplog.records
    assert isinstance(create_engine(WEIGHTS, stages=1, backend="auto", device="cpu"), CpuEngine)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(f"emtcm: {message}")


def test_what_fails_on_the_way_is_one_sentence(engine, monkeypatch):
    def fail(*_):
        raise RuntimeError("Check failed:\nno memory")

    monkeypatch.setattr(engine, "_compiled", fail)
    with pytest.raises(EmtcmError, match=r"OpenVINO failed \(Check failed: no memory\); use"):
        engine(torch.zeros(1, 1, 50, 50))


def test_nothing_is_imported_unasked_reported_or_written(tmp_path):
    code = """
import sys, vs_emtcm
vs_emtcm.Upscaler(2, backend="torch", device="cpu")
assert "openvino" not in sys.modules
vs_emtcm.Upscaler(2, backend="openvino")
assert "openvino" in sys.modules and "openvino_telemetry" not in sys.modules
# Others in the process find all of OpenVINO.
import openvino, openvino_telemetry
assert openvino.convert_model
"""
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment)
    assert list(tmp_path.iterdir()) == []

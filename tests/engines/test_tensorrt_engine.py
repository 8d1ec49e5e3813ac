"""What the TensorRT engine asks of TensorRT, answered by a stand-in that runs the network on the CPU.

The stand-in reads and writes the very addresses that it is given, as TensorRT does.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import shutil
import sys
import weakref
from functools import cache
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor

from tests.material import codes, run
from trt_build import BuildError, engine_spec, get_or_build, spec
from vs_emtcm import EmtcmError, PixelFormat, models
from vs_emtcm.engines import choice, create_engine, tensorrt_engine, tensorrt_plan
from vs_emtcm.engines.cpu_engine import CpuEngine
from vs_emtcm.engines.load import load_network
from vs_emtcm.engines.tensorrt_engine import TensorrtEngine
from vs_emtcm.engines.tensorrt_plan import PROFILE
from vs_emtcm.mirror import mirrored
from vs_emtcm.network import DetailNetwork
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.weights_file import load_weights

BYTES_PER_PIXEL = 64
WEIGHTS = load_weights(models.find("base", "video").path, 2)


def at(address: int, shape: tuple[int, ...]) -> Tensor:
    """The halves at an address."""
    count = torch.Size(shape).numel()
    memory = (ctypes.c_char * (2 * count)).from_address(address)
    return torch.frombuffer(memory, dtype=torch.float16).view(shape)


class Context:
    """An execution context whose memory its user brings."""

    def __init__(self, stages: int) -> None:
        network = load_network(WEIGHTS, stages)
        self.module = DetailNetwork(network).half()
        self.radius = network.radius
        self.shape: tuple[int, ...] | None = None
        self.memory = 0
        self.addresses: dict[str, int] = {}
        self.sizes: list[tuple[int, ...]] = []

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        smallest, largest = (PROFILE.grown(self.radius).minimum, PROFILE.grown(self.radius).maximum)
        fits = all(low <= n <= high for low, n, high in zip(smallest, shape[2:], largest, strict=True))
        self.shape, self.memory = shape, 0
        self.sizes.append(shape)
        return name == "input" and fits

    def update_device_memory_size_for_shapes(self) -> int:
        assert self.shape is not None
        return BYTES_PER_PIXEL * self.shape[2] * self.shape[3]

    def set_device_memory(self, address: int, size: int) -> None:
        assert address
        self.memory = size

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 7
        assert self.shape is not None
        assert self.memory >= self.update_device_memory_size_for_shapes()
        result = self.module(at(self.addresses["input"], self.shape))
        at(self.addresses["output"], tuple(result.shape)).copy_(result)
        return True


class Cache:
    """Of compiled kernels."""


class Configuration:
    """A runtime configuration, as TensorRT-RTX has it."""

    memory = kernels = cache = ""

    def create_runtime_cache(self) -> Cache:
        return Cache()

    def set_runtime_cache(self, cache: Cache) -> None:
        # By its address alone: nothing keeps it but who asked for it.
        self.cache = weakref.ref(cache)

    def set_execution_context_allocation_strategy(self, strategy: str) -> None:
        self.memory = strategy

    def __setattr__(self, name: str, value: str) -> None:
        short = {"dynamic_shapes_kernel_specialization_strategy": "kernels"}
        super().__setattr__(short.get(name, name), value)


@pytest.fixture
def runtime(monkeypatch):
    """TensorRT-RTX as far as an engine uses it; a test may replace its parts."""
    stand_in = SimpleNamespace(context=Context(2), configurations=[])

    def create_execution_context(configuration: Configuration) -> Context:
        if isinstance(configuration, Configuration):
            assert configuration.cache() is not None
        stand_in.configurations.append(configuration)
        return stand_in.context

    stand_in.engine = SimpleNamespace(
        create_runtime_config=Configuration,
        create_execution_context=create_execution_context,
        device_memory_size_v2=BYTES_PER_PIXEL,
        get_tensor_name=lambda index: ("input", "output")[index],
    )
    logger = type("Logger", (), {"WARNING": 1, "__init__": lambda self, level: None})
    stand_in.loggers = set()
    stand_in.deserialized = []

    def deserialize(serialized):
        stand_in.deserialized.append(serialized)
        return stand_in.engine

    def runtime_with(logger):
        stand_in.loggers.add(logger)
        return SimpleNamespace(deserialize_cuda_engine=deserialize)

    trt = SimpleNamespace(
        Logger=logger,
        Runtime=runtime_with,
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED="user managed"),
        DynamicShapesKernelSpecializationStrategy=SimpleNamespace(EAGER="eager"),
    )
    stand_in.trt = trt
    monkeypatch.setattr(tensorrt_engine, "_tensorrt", lambda _: trt)
    monkeypatch.setattr(tensorrt_engine, "_logger", cache(tensorrt_engine._logger.__wrapped__))
    built = SimpleNamespace(tensorrt="stand-in 1", flavour="rtx")
    monkeypatch.setattr(tensorrt_plan, "engine_spec", lambda *_, **__: built)
    monkeypatch.setattr(tensorrt_engine, "get_or_build", lambda *_, **__: b"engine")
    device = type("device", (contextlib.nullcontext,), {})
    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(tensorrt_engine, "own_stream", lambda *_: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: SimpleNamespace(cuda_stream=7))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "no card")
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    return stand_in


def pretend_a_gpu(monkeypatch):
    """PyTorch finds a GPU, and TensorRT is installed; neither can be used."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: True)


def make(tmp_path, stages=2):
    return TensorrtEngine(WEIGHTS, stages, torch.device("cpu"), label="base", store=tmp_path)


def bordered(height, width, radius):
    picture = torch.from_numpy(codes(height, width).astype("float32") / 255)[None, None]
    return mirrored(picture, radius)


@pytest.mark.parametrize("size", [(40, 60), (17, 16), (1, 1), (5, 200), (300, 3)])
def test_any_size_gives_what_the_network_gives_in_half_precision(runtime, tmp_path, size):
    engine = make(tmp_path)
    x = bordered(*size, engine.radius)
    with torch.inference_mode():
        result = engine(x)
        expected = CpuEngine(WEIGHTS, 2)(x)
    assert result.shape == (1, 1, 2 * size[0], 2 * size[1])
    assert float((result - expected).abs().max()) * 255 < 0.6


def test_memory_is_asked_for_once_per_size_and_comes_from_pytorch(runtime, tmp_path):
    engine = make(tmp_path)
    (configuration,) = runtime.configurations
    assert (configuration.memory, configuration.kernels) == ("user managed", "eager")
    with torch.inference_mode():
        for size in ((40, 60), (40, 60), (30, 20), (40, 60)):
            engine(bordered(*size, engine.radius))
    # The first is that of the trial.
    assert [shape[2] - 2 * engine.radius for shape in runtime.context.sizes] == [16, 40, 30, 40]


def test_all_engines_of_a_process_have_one_logger(runtime, tmp_path):
    for stages in (1, 1):
        runtime.context = Context(stages)
        make(tmp_path, stages)
    assert len(runtime.loggers) == 1


def test_another_one_has_a_context_of_its_own_on_the_same_engine(runtime, tmp_path):
    first = make(tmp_path)
    with torch.inference_mode():
        first(bordered(40, 60, first.radius))
        second = first.another()
        result = second(bordered(40, 60, second.radius))
        torch.testing.assert_close(result, first(bordered(40, 60, first.radius)), rtol=0, atol=0)
    one, other = runtime.configurations
    assert one.cache() is other.cache()
    runtime.engine.create_execution_context = lambda _: None
    with pytest.raises(EmtcmError, match="not enough GPU memory for one more lane; use fewer lanes"):
        first.another()


@pytest.mark.parametrize(("flavour", "name"), [("rtx", "tensorrt_rtx"), ("full", "tensorrt")])
def test_an_engine_is_run_by_what_built_it_whatever_else_is_installed(monkeypatch, flavour, name):
    for module in ("tensorrt_rtx", "tensorrt"):
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
    assert tensorrt_engine._tensorrt(flavour).__name__ == name


def test_full_tensorrt_is_told_the_same_in_its_own_way(runtime, tmp_path):
    del runtime.trt.DynamicShapesKernelSpecializationStrategy
    make(tmp_path)
    assert runtime.configurations == ["user managed"]


def test_a_frame_that_does_not_fit_is_done_in_tiles(runtime, tmp_path, monkeypatch, caplog):
    plane = codes(200, 160)
    expected = Upscaler(2, device="cpu").upscale([plane], PixelFormat(family="gray"))[0]
    engine = make(tmp_path)
    upscaler = Upscaler(2, device="cpu", tile=0)
    upscaler.engine = engine
    empty = torch.empty

    def limited(*size, **options):
        if options.get("dtype") == torch.uint8 and size[0] > BYTES_PER_PIXEL * 150 * 150:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return empty(*size, **options)

    monkeypatch.setattr(torch, "empty", limited)
    result = upscaler.upscale([plane], PixelFormat(family="gray"))[0]
    assert "going on in tiles" in caplog.text
    assert abs(result.astype(int) - expected).max() <= 1


def test_sizes_beyond_the_engine_are_refused(runtime, tmp_path):
    engine = make(tmp_path)
    x = torch.zeros(1, 1, 16 + 2 * engine.radius, PROFILE.maximum[1] + 1 + 2 * engine.radius)
    with pytest.raises(EmtcmError, match="the engine failed"):
        engine(x)


def test_what_goes_wrong_is_one_sentence_with_a_remedy(runtime, tmp_path, monkeypatch):
    runtime.engine.create_execution_context = lambda _: None
    with pytest.raises(EmtcmError, match=r"^backend 'tensorrt': there is not enough GPU memory for one more"):
        make(tmp_path)
    runtime.engine = None
    with pytest.raises(
        EmtcmError, match=r"^backend 'tensorrt': the driver refuses the engine; update the NVIDIA driver"
    ):
        make(tmp_path)

    def refuse(*_, **__):
        raise BuildError("the disk is full")

    monkeypatch.setattr(tensorrt_engine, "get_or_build", refuse)
    with pytest.raises(EmtcmError, match="backend 'tensorrt': the disk is full"):
        make(tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("no\nkernel"),
        TypeError("nullptr"),
        AttributeError("Runtime"),
        ValueError("no tactic"),
        AssertionError("no device"),
    ],
)
def test_whatever_tensorrt_says_auto_goes_on_with_pytorch(runtime, tmp_path, monkeypatch, caplog, error):
    def broken(_):
        raise error

    runtime.trt.Runtime = broken
    with pytest.raises(EmtcmError, match=f"backend 'tensorrt': {' '.join(str(error).split())}"):
        make(tmp_path)
    pretend_a_gpu(monkeypatch)
    monkeypatch.setattr(choice, "CudaEngine", lambda *_: "PyTorch")
    assert create_engine(WEIGHTS, stages=2, backend="auto", device="auto", store=tmp_path) == "PyTorch"
    assert "going on with PyTorch on the GPU" in caplog.text


def test_an_engine_is_asked_for_as_it_is_used(runtime, tmp_path, monkeypatch):
    asked = []

    def specified(_, **given):
        asked.append(given)
        return SimpleNamespace(tensorrt="stand-in 1", flavour="rtx")

    monkeypatch.setattr(tensorrt_plan, "engine_spec", specified)
    monkeypatch.setattr(TensorrtEngine, "__call__", lambda _, x: x)
    weights = load_weights(models.find("base", "video").path, 3)
    engine = TensorrtEngine(weights, 1, torch.device("cpu"), label="base", store=tmp_path)
    wanted = {"label": "base-stage1", "scale": 3, "profile": PROFILE.grown(engine.radius)}
    assert asked == [{**wanted, "precision": "fp16", "targets": None}]
    assert engine.largest == PROFILE.maximum


@pytest.mark.parametrize("name", ["base-video", "renamed"])
def test_an_engine_that_the_command_built_is_the_one_that_is_used(runtime, tmp_path, monkeypatch, name):
    file = tmp_path / f"{name}.safetensors"
    shutil.copy(models.find("base", "video").path, file)
    # The real ones, instead of the stand-ins of the fixture.
    monkeypatch.setattr(tensorrt_plan, "engine_spec", engine_spec)
    monkeypatch.setattr(tensorrt_engine, "get_or_build", get_or_build)
    monkeypatch.setattr(spec, "present_target", lambda: "sm89")
    monkeypatch.setattr("trt_build.store.compiled", lambda *_, **__: b"built ahead")
    options = ("--model", file, "--scale", 2, "--stages", 2, "--target", "sm86,sm89", "--store", tmp_path)
    result = run("engines", "build", *options)
    assert result.exit_code == 0, result.output
    monkeypatch.setattr("trt_build.store.compiled", None)
    TensorrtEngine(WEIGHTS, 2, torch.device("cpu"), label="base-video", store=tmp_path)
    assert runtime.deserialized == [b"built ahead"]


def test_an_engine_that_needs_no_memory_has_an_address_all_the_same(runtime, tmp_path, monkeypatch):
    runtime.engine.device_memory_size_v2 = 0
    monkeypatch.setattr(runtime.context, "update_device_memory_size_for_shapes", lambda: 0)
    engine = make(tmp_path)
    with torch.inference_mode():
        assert engine(bordered(40, 60, engine.radius)).shape == (1, 1, 80, 120)


def test_engines_are_kept_where_they_were_asked_to_be(tmp_path, monkeypatch):
    stores = []
    pretend_a_gpu(monkeypatch)
    monkeypatch.setattr(tensorrt_engine, "TensorrtEngine", lambda *_, **given: stores.append(given["store"]))
    for store in (tmp_path, None):
        create_engine(WEIGHTS, stages=2, backend="tensorrt", device="auto", store=store)
    assert stores == [tmp_path, tensorrt_engine.default_store()]


def test_an_engine_that_fails_gets_the_memory_that_pytorch_keeps(runtime, tmp_path, monkeypatch):
    engine = make(tmp_path)
    x = bordered(40, 60, engine.radius)
    with torch.inference_mode():
        expected = engine(x)
        given_back = []
        execute = runtime.context.execute_async_v3
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(True))
        monkeypatch.setattr(
            runtime.context, "execute_async_v3", lambda stream: bool(given_back) and execute(stream)
        )
        assert torch.equal(engine(x), expected)
        assert given_back == [True]


def test_an_engine_that_fails_in_a_recording_leaves_memory_alone(runtime, tmp_path, monkeypatch):
    engine = make(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: pytest.fail("this would break the recording"))
    monkeypatch.setattr(runtime.context, "execute_async_v3", lambda _: False)
    with pytest.raises(EmtcmError, match="the engine failed"):
        engine(bordered(40, 60, engine.radius))


def test_an_engine_that_cannot_tell_what_it_needs_is_not_run(runtime, tmp_path, monkeypatch):
    engine = make(tmp_path)
    monkeypatch.setattr(runtime.context, "update_device_memory_size_for_shapes", lambda: 0)
    with pytest.raises(EmtcmError, match="the engine failed"):
        engine(bordered(40, 60, engine.radius))


def test_the_stand_in_has_no_names_that_tensorrt_lacks():
    rtx = pytest.importorskip("tensorrt_rtx")
    for owner, names in (
        (rtx.IRuntimeConfig, ("create_runtime_cache", "set_runtime_cache")),
        (rtx.IExecutionContext, ("update_device_memory_size_for_shapes", "set_device_memory")),
        (rtx.IExecutionContext, ("set_input_shape", "set_tensor_address", "execute_async_v3")),
        (rtx.ICudaEngine, ("create_runtime_config", "create_execution_context", "device_memory_size_v2")),
    ):
        assert set(names) <= set(dir(owner))


def test_an_engine_that_does_not_run_shows_while_another_can_be_chosen(runtime, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime.context, "execute_async_v3", lambda _: False)
    with pytest.raises(EmtcmError, match="backend 'tensorrt': the engine failed"):
        make(tmp_path)


def test_an_installation_that_cannot_build_for_this_card_is_found(monkeypatch):
    def refuse(*_, **__):
        raise BuildError("this GPU is sm90")

    monkeypatch.setattr(tensorrt_engine, "engine_spec", refuse)
    with pytest.raises(EmtcmError, match="this GPU is sm90"):
        tensorrt_engine.check_installation()

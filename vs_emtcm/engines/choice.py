"""Choosing an engine: the one that was asked for, or the fastest that works here."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch

from vs_emtcm.engines.cpu_engine import CpuEngine
from vs_emtcm.engines.cuda_engine import CudaEngine
from vs_emtcm.engines.engine import Engine
from vs_emtcm.errors import EmtcmError, UsageError
from vs_emtcm.weights_file import Weights

_log = logging.getLogger(__name__)
# In the order of help texts and messages.
BACKENDS = ("auto", "tensorrt", "openvino", "openvino-bf16", "torch")


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether a backend works here.

    Attributes:
        backend: its name, one of :data:`BACKENDS`.
        device: kind of device that it would run on, "cuda" or "cpu".
        reason: why it does not work, or None if it does.
    """

    backend: str
    device: str
    reason: str | None


def cuda_missing() -> str | None:
    """Say why PyTorch cannot use a GPU here, or None if it can."""
    if torch.cuda.is_available():
        return None
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        text = str(error)
        if "too old" in text:
            return f"the NVIDIA driver is too old for PyTorch {torch.__version__}; update the driver"
        if "compiled" in text:
            return f"PyTorch {torch.__version__} is made without CUDA; install it with CUDA"
    return "PyTorch finds no NVIDIA GPU and driver"


def tensorrt_missing() -> str | None:
    """Say why TensorRT engines cannot be run here, or None if they can; TensorRT is not imported."""
    missing = cuda_missing()
    if missing is not None:
        return missing
    if importlib.util.find_spec("torch_tensorrt") is None:
        version = torch.__version__.partition("+")[0]
        return f"Torch-TensorRT is not installed; run 'pip install torch-tensorrt-rtx=={version}'"
    return None


def openvino_missing() -> str | None:
    """Say why OpenVINO engines cannot be run here, or None if they can; OpenVINO is not imported."""
    if importlib.util.find_spec("openvino") is None:
        return "OpenVINO is not installed; run 'pip install openvino'"
    return None


def bfloat16_missing() -> str | None:
    """Say why OpenVINO engines cannot be run in bfloat16, or would be slower here; None if neither."""
    # Older versions of PyTorch do not have this function.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    if not any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16")):
        return (
            "PyTorch finds neither AMX nor AVX512-BF16 in the processor, without which bfloat16 is slower; "
            "use backend 'openvino'"
        )
    return openvino_missing()


@dataclass(frozen=True, kw_only=True)
class _EngineArguments:
    """What every engine is made of.

    Attributes:
        weights: of one scale.
        stages: 1 or 2.
        device: where it runs.
        label: name of the model, for the names of stored TensorRT engines.
        store: folder of TensorRT engines; None is the one in the user's cache.
    """

    weights: Weights
    stages: int
    device: torch.device
    label: str
    store: Path | None


# The libraries of these three engines are imported only when they are wanted.
def _tensorrt(arguments: _EngineArguments) -> Engine:
    from vs_emtcm.engines.tensorrt_engine import TensorrtEngine, default_store

    return TensorrtEngine(
        arguments.weights,
        arguments.stages,
        arguments.device,
        label=arguments.label,
        store=arguments.store or default_store(),
    )


def _openvino(arguments: _EngineArguments) -> Engine:
    from vs_emtcm.engines.openvino_engine import OpenvinoEngine

    return OpenvinoEngine(arguments.weights, arguments.stages)


def _openvino_bfloat16(arguments: _EngineArguments) -> Engine:
    from vs_emtcm.engines.openvino_bfloat16 import OpenvinoBfloat16Engine

    return OpenvinoBfloat16Engine(arguments.weights, arguments.stages)


def _torch_on_cuda(arguments: _EngineArguments) -> Engine:
    return CudaEngine(arguments.weights, arguments.stages, arguments.device)


def _torch_on_cpu(arguments: _EngineArguments) -> Engine:
    return CpuEngine(arguments.weights, arguments.stages)


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """A backend on a kind of device.

    Attributes:
        backend: its name, one of :data:`BACKENDS`.
        device: "cuda" or "cpu".
        title: what warnings call it.
        missing: says why it cannot be used here, or None if it can.
        make: makes the engine.
        automatic: backend "auto" may take it.
    """

    backend: str
    device: str
    title: str
    missing: Callable[[], str | None]
    make: Callable[[_EngineArguments], Engine]
    automatic: bool = True


# The fastest first: the order in which "auto" prefers them.
_CHOICES = (
    _Choice(backend="tensorrt", device="cuda", title="TensorRT", missing=tensorrt_missing, make=_tensorrt),
    _Choice(
        backend="torch",
        device="cuda",
        title="PyTorch on the GPU",
        missing=cuda_missing,
        make=_torch_on_cuda,
    ),
    _Choice(backend="openvino", device="cpu", title="OpenVINO", missing=openvino_missing, make=_openvino),
    _Choice(
        backend="torch",
        device="cpu",
        title="PyTorch on the CPU",
        missing=lambda: None,
        make=_torch_on_cpu,
    ),
    # Faster still, but its results differ a little: only for those who ask for it.
    _Choice(
        backend="openvino-bf16",
        device="cpu",
        title="OpenVINO in bfloat16",
        missing=bfloat16_missing,
        make=_openvino_bfloat16,
        automatic=False,
    ),
)


def _choices_of(backend: str) -> list[_Choice]:
    """Return what a backend stands for, on all devices; "auto" for several backends."""
    return [
        choice for choice in _CHOICES if choice.backend == backend or (backend == "auto" and choice.automatic)
    ]


def availabilities() -> tuple[Availability, ...]:
    """Return every backend and device, in the order in which "auto" prefers them; the last it never takes."""
    return tuple(
        Availability(backend=choice.backend, device=choice.device, reason=choice.missing())
        for choice in _CHOICES
    )


def check_backend(backend: str) -> None:
    """Refuse an unknown backend.

    Raises:
        UsageError: ``backend`` is not one of :data:`BACKENDS`.
    """
    if backend not in BACKENDS:
        raise UsageError(f"backend is {backend!r}; accepted are {', '.join(BACKENDS)}")


def choose_device(device: str, backend: str = "auto") -> torch.device:
    """Resolve the name of a device.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:N".
        backend: one of :data:`BACKENDS`, which will run there.

    Raises:
        UsageError: the name is unknown, or the device is not there, or the backend does not run on it.
    """
    if device == "cpu":
        return torch.device("cpu")
    if not isinstance(device, str):
        raise UsageError(f"device is {device!r}; accepted are auto, cpu, cuda and cuda:N")
    name, _, index = device.partition(":")
    if device != "auto" and (name != "cuda" or (index and not index.isdecimal()) or device.endswith(":")):
        raise UsageError(f"device is {device!r}; accepted are auto, cpu, cuda and cuda:N")
    if {choice.device for choice in _choices_of(backend)} == {"cpu"}:
        if device == "auto":
            return torch.device("cpu")
        raise UsageError(
            f"backend {backend!r} is not usable on device {device!r}: it runs on the CPU alone; "
            "use device 'cpu', or backend 'torch'"
        )
    if not torch.cuda.is_available():
        if device == "auto":
            return torch.device("cpu")
        raise UsageError(f"device {device!r} is not usable: {cuda_missing()}; or use device 'cpu'")
    number = int(index or 0)
    if number >= torch.cuda.device_count():
        raise UsageError(f"device {device!r} does not exist; there are {torch.cuda.device_count()}")
    return torch.device("cuda", number)


def create_engine(
    weights: Weights,
    *,
    stages: int,
    backend: str,
    device: str,
    label: str = "model",
    store: Path | None = None,
) -> Engine:
    """Make the engine that was asked for.

    Backend "auto" tries one after the other, and warns of those that do not work.

    Args:
        weights: of one scale.
        stages: 1 or 2.
        backend: one of :data:`BACKENDS`.
        device: "auto", "cpu", "cuda" or "cuda:N".
        label: name of the model, for the names of stored TensorRT engines.
        store: folder of TensorRT engines; None is the one in the user's cache.

    Raises:
        UsageError: it cannot be had; the message names what is missing.
        EmtcmError: the engine could not be built.
    """
    check_backend(backend)
    place = choose_device(device, backend)
    # With device "auto" an engine on the GPU may give way to one on the CPU.
    kinds = {place.type, "cpu"} if device == "auto" else {place.type}
    choices = [c for c in _choices_of(backend) if c.device in kinds and c.missing() is None]
    if not choices:
        raise UsageError(
            f"backend {backend!r} is not usable: {_unusable_because(backend, device)}; or use backend 'torch'"
        )
    arguments = _EngineArguments(weights=weights, stages=stages, device=place, label=label, store=store)
    for choice, following in pairwise(choices):
        try:
            return choice.make(arguments)
        except UsageError:
            raise
        except EmtcmError as error:
            _log.warning("emtcm: %s; going on with %s", error, following.title)
    return choices[-1].make(arguments)


def _unusable_because(backend: str, device: str) -> str | None:
    """Say why a backend other than "auto" and "torch", which always work, cannot be used on a device."""
    (choice,) = _choices_of(backend)
    if device == "cpu" and choice.device == "cuda":
        return "it runs on CUDA devices alone"
    return choice.missing()

"""Which engine is used: the one asked for, or the fastest that works here."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch

from vs_emtcm.engines.cpu_engine import CpuEngine
from vs_emtcm.engines.cuda_engine import CudaEngine
from vs_emtcm.engines.engine import Engine
from vs_emtcm.errors import EmtcmError, UsageError
from vs_emtcm.models import Weights

_log = logging.getLogger(__name__)
BACKENDS = ("auto", "tensorrt", "openvino", "openvino-bf16", "torch")


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether a backend works here.

    Attributes:
        backend: its name.
        device: what it would run on.
        reason: why it does not work, or None if it does.
    """

    backend: str
    device: str
    reason: str | None


def cuda_missing() -> str | None:
    """Why PyTorch cannot use a GPU here, or None if it can."""
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
    """Why TensorRT engines cannot be run here, or None if they can; TensorRT is not imported."""
    missing = cuda_missing()
    if missing is not None:
        return missing
    if importlib.util.find_spec("torch_tensorrt") is None:
        version = torch.__version__.partition("+")[0]
        return f"Torch-TensorRT is not installed; run 'pip install torch-tensorrt-rtx=={version}'"
    return None


def openvino_missing() -> str | None:
    """Why OpenVINO engines cannot be run here, or None if they can; nothing is imported."""
    if importlib.util.find_spec("openvino") is None:
        return "OpenVINO is not installed; run 'pip install openvino'"
    return None


def bfloat16_missing() -> str | None:
    """Why OpenVINO engines in bfloat16 would be no faster here, or None if they are."""
    # Not every PyTorch that this runs with has the function.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    if not any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16")):
        return (
            "PyTorch finds neither AMX nor AVX512-BF16 in the processor, without which bfloat16 is slower; "
            "use backend 'openvino'"
        )
    return openvino_missing()


def availabilities() -> tuple[Availability, ...]:
    """Every backend and device, the one that "auto" prefers first; the last it never takes."""
    return (
        Availability(backend="tensorrt", device="cuda", reason=tensorrt_missing()),
        Availability(backend="torch", device="cuda", reason=cuda_missing()),
        Availability(backend="openvino", device="cpu", reason=openvino_missing()),
        Availability(backend="torch", device="cpu", reason=None),
        Availability(backend="openvino-bf16", device="cpu", reason=bfloat16_missing()),
    )


def check_backend(backend: str) -> None:
    """Refuse an unknown backend.

    Raises:
        UsageError: ``backend`` is not one of :data:`BACKENDS`.
    """
    if backend not in BACKENDS:
        raise UsageError(f"backend is {backend!r}; accepted are {', '.join(BACKENDS)}")


def choose_device(device: str, backend: str = "auto") -> torch.device:
    """Resolve "auto", "cpu", "cuda" or "cuda:N".

    Args:
        device: the name.
        backend: what will run there.

    Raises:
        UsageError: the name is unknown, or the device is not there or not one of the backend's.
    """
    if device == "cpu":
        return torch.device("cpu")
    if not isinstance(device, str):
        raise UsageError(f"device is {device!r}; accepted are auto, cpu, cuda and cuda:N")
    name, _, index = device.partition(":")
    if device != "auto" and (name != "cuda" or (index and not index.isdecimal()) or device.endswith(":")):
        raise UsageError(f"device is {device!r}; accepted are auto, cpu, cuda and cuda:N")
    if backend in ("openvino", "openvino-bf16"):
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

    Args:
        weights: of one scale.
        stages: 1 or 2.
        backend: one of :data:`BACKENDS`.
        device: "auto", "cpu", "cuda" or "cuda:N".
        label: of the model, for the names of stored TensorRT engines.
        store: folder of TensorRT engines; None is the one in the user's cache.

    Raises:
        UsageError: it cannot be had; the message names what is missing.
        EmtcmError: the engine could not be built.
    """
    check_backend(backend)
    place = choose_device(device, backend)
    missing = {
        "tensorrt": "it runs on CUDA devices alone" if device == "cpu" else tensorrt_missing(),
        "openvino": openvino_missing(),
        "openvino-bf16": bfloat16_missing(),
    }
    if missing.get(backend) is not None:
        raise UsageError(f"backend {backend!r} is not usable: {missing[backend]}; or use backend 'torch'")
    candidates = _candidates(weights, stages, backend, device, place, label, store)
    for candidate, following in pairwise(candidates):
        try:
            return candidate.make()
        except UsageError:
            raise
        except EmtcmError as error:
            _log.warning("emtcm: %s; going on with %s", error, following.name)
    return candidates[-1].make()


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    name: str
    make: Callable[[], Engine]


def _candidates(
    weights: Weights,
    stages: int,
    backend: str,
    device: str,
    place: torch.device,
    label: str,
    store: Path | None,
) -> list[_Candidate]:
    """The engines that would do, the fastest first."""

    # Only who wants an engine pays for the import.
    def tensorrt() -> Engine:
        from vs_emtcm.engines.tensorrt_engine import TensorrtEngine, default_store

        return TensorrtEngine(weights, stages, place, label=label, store=store or default_store())

    def openvino() -> Engine:
        from vs_emtcm.engines.openvino_engine import OpenvinoEngine

        return OpenvinoEngine(weights, stages)

    def openvino_bfloat16() -> Engine:
        from vs_emtcm.engines.openvino_bfloat16 import OpenvinoBfloat16Engine

        return OpenvinoBfloat16Engine(weights, stages)

    found = []
    if place.type == "cuda":
        if backend in ("auto", "tensorrt") and tensorrt_missing() is None:
            found.append(_Candidate(name="TensorRT", make=tensorrt))
        if backend in ("auto", "torch"):
            cuda = partial(CudaEngine, weights, stages, place)
            found.append(_Candidate(name="PyTorch on the GPU", make=cuda))
    if place.type == "cpu" or device == "auto":
        if backend in ("auto", "openvino") and openvino_missing() is None:
            found.append(_Candidate(name="OpenVINO", make=openvino))
        if backend == "openvino-bf16":
            found.append(_Candidate(name="OpenVINO in bfloat16", make=openvino_bfloat16))
        if backend in ("auto", "torch"):
            found.append(_Candidate(name="PyTorch on the CPU", make=partial(CpuEngine, weights, stages)))
    return found

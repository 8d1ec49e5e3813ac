"""Making engines and running them, without the packages that the product reads weights with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from scripts.gpu_checks.session import TENSORRT_PART, Session
from vs_emtcm.engines.cpu_engine import CpuEngine
from vs_emtcm.engines.cuda_engine import CudaEngine
from vs_emtcm.engines.engine import Engine
from vs_emtcm.models import Model
from vs_emtcm.shape import Shape
from vs_emtcm.weights_file import Weights


def read_weights(path: Path, scale: int) -> Weights:
    """Read the weights of one scale without the safetensors package.

    The format: the length of the header in 8 bytes (little endian), the header as JSON, and raw numbers.
    """
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        owner, _, rest = name.partition("/")
        if owner in ("shared", f"x{scale}"):
            first, last = entry["data_offsets"]
            values = np.frombuffer(content[start + first : start + last], np.float32)
            tensors[rest] = values.reshape(entry["shape"]).copy()
    return Weights(scale=scale, shape=Shape.from_metadata(metadata), tune=metadata["tune"], tensors=tensors)


def torch_engine(weights: Weights, stages: int, device: torch.device) -> Engine:
    """Make the engine that PyTorch runs; in a dry run that is the one for the CPU."""
    return CudaEngine(weights, stages, device) if device.type == "cuda" else CpuEngine(weights, stages)


def tensorrt_engine(weights: Weights, stages: int, device: torch.device, label: str) -> Engine:
    """Make the engine that TensorRT runs; it is built if it is not in the user's store."""
    from vs_emtcm.engines.tensorrt_engine import TensorrtEngine, default_store

    return TensorrtEngine(weights, stages, device, label=label, store=default_store())


def engines_of(
    session: Session, part: str, model: Model, weights: Weights, stages: int, *, fatal: bool = False
) -> Mapping[str, Engine]:
    """Make every engine of a network, by name: "torch" and, on a GPU, "tensorrt".

    After one TensorRT engine that cannot be had, no more are made.

    Args:
        session: notes what cannot be made.
        part: what the engines are for.
        model: whose network it is.
        weights: of one scale.
        stages: 1 or 2.
        fatal: an engine of PyTorch that cannot be made counts as incorrect.
    """
    engines: dict[str, Engine] = {}
    name = f"{model.name}-{model.tune}"
    with session.attempt(f"{part} torch {name} {weights.scale} {stages}", fatal=fatal):
        engines["torch"] = torch_engine(weights, stages, session.device)
    # Engines of the same shapes for other weights would take as long to build and show no more.
    if session.device.type == "cuda" and model.tune == "video" and not session.has_skipped(TENSORRT_PART):
        with session.attempt(TENSORRT_PART):
            engines["tensorrt"] = tensorrt_engine(weights, stages, session.device, name)
    return engines


def with_border(picture: Tensor, engine: Engine) -> Tensor:
    """Return the input of an engine, on its device: a picture (N, 1, H, W) with the border that it needs."""
    return F.pad(picture.to(engine.device), (engine.radius,) * 4, mode="replicate")


def run(engine: Engine, x: Tensor, work: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """Run an engine, or ``work`` instead, on the engine's own stream; does not wait for the result.

    Args:
        engine: whose stream it is.
        x: input of the engine.
        work: what is run; None is the engine itself.
    """
    work = engine if work is None else work
    if engine.stream is None:
        with torch.inference_mode():
            return work(x)
    engine.stream.wait_stream(torch.cuda.current_stream(engine.device))
    with torch.inference_mode(), torch.cuda.stream(engine.stream):
        return work(x)


def run_to_cpu(engine: Engine, x: Tensor) -> Tensor:
    """Run an engine, wait for its result and return it on the CPU."""
    result = run(engine, x)
    synchronize(engine)
    return result.cpu()


def synchronize(engine: Engine) -> None:
    """Wait for the device of an engine."""
    if engine.device.type == "cuda":
        torch.cuda.synchronize(engine.device)

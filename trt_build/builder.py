"""Building an engine from a module."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn

from trt_build.container import make_folder, write_engine
from trt_build.convert import serialized_engine
from trt_build.profile import Profile
from trt_build.spec import EngineSpec, dtype_of, engine_spec
from trt_build.whole_file import AnyPath

# Held while a module is traced and compiled: PyTorch traces one module at a time, and the answers that
# Torch-TensorRT gets about a GPU that is not here (see trt_build.frontend) are those of the whole process.
TRACING = threading.Lock()


def build(
    module: nn.Module,
    *,
    scale: int,
    profile: Profile,
    out: AnyPath,
    precision: str = "fp16",
    targets: str | Iterable[str] | None = None,
    label: str = "module",
) -> EngineSpec:
    """Compile a module as one TensorRT engine and write it to a file.

    While it builds ahead of time, for ``targets``, ``torch.cuda`` says to all threads of the process that it
    has such a GPU: programs that use one at the same time had better call this in a process of its own.

    Args:
        module: takes one tensor (1, 1, H, W) and returns one tensor. A copy is converted to the
            precision; nothing of it runs in PyTorch afterwards.
        scale: recorded with the engine.
        profile: heights and widths of the input.
        out: the file; it appears when it is complete.
        precision: "fp16" or "fp32"; input and output have it as well.
        targets: GPU or GPUs to build for without having them ("sm89", ..., "all"), with TensorRT-RTX; None
            is the GPU in this machine.
        label: recorded with the engine.

    Returns:
        The specification of the engine.

    Raises:
        BuildError: it cannot be built; the message says why.
    """
    spec = engine_spec(
        module, label=label, scale=scale, profile=profile, precision=precision, targets=targets
    )
    out = Path(out)
    # Before the work.
    make_folder(out.parent)
    write_engine(out, spec.to_json(), compiled(module, spec, ahead=targets is not None))
    return spec


def compiled(module: nn.Module, spec: EngineSpec, *, ahead: bool) -> bytes:
    """Compile the engine of a specification and return it serialised.

    Args:
        module: the module that was specified; it is not changed.
        spec: of the engine.
        ahead: build without the GPU.

    Raises:
        BuildError: the module cannot be compiled; see :func:`trt_build.convert.serialized_engine`.
    """
    dtype = dtype_of(spec.precision)
    copy = deepcopy(module).requires_grad_(False).to("cpu", dtype).eval()
    with TRACING, torch.autocast("cpu", enabled=False):
        return serialized_engine(copy, spec.profile, dtype, spec.targets, ahead=ahead)

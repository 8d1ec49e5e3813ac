"""Building an engine: what is asked for, the compiled bytes, and what is known of them."""

from __future__ import annotations

import hashlib
import inspect
import json
import pickle
import sys
import threading
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from trt_build.container import write_engine
from trt_build.convert import serialized_engine
from trt_build.errors import BuildError
from trt_build.frontend import installation, offered_targets
from trt_build.profile import Profile
from trt_build.targets import parse_targets, target_of

# The package is named after the CUDA version that it is for.
FULL_TENSORRT = ("tensorrt", "tensorrt_cu13", "tensorrt_cu12")
# Raised whenever the same request is to be built in another way: what is stored is then built again.
BUILDER = 3
# PyTorch traces one module at a time, and Torch-TensorRT's questions are answered for all threads alike.
TRACING = threading.Lock()
DTYPES = {"fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True, kw_only=True)
class Request:
    """Everything that makes an engine what it is; two equal requests have the same engine.

    Attributes:
        label: of the module, for people.
        weights: sha256 of the module's parameters, buffers, other attributes and source.
        scale: upscaling factor.
        profile: of its input.
        precision: "fp16" or "fp32".
        targets: GPUs that it is for.
        card: name of the GPU, of an engine for that kind of card alone (full TensorRT); else empty.
        flavour, torch_tensorrt, tensorrt, torch, builder: what builds it.
    """

    label: str
    weights: str
    scale: int
    profile: Profile
    precision: str
    targets: tuple[str, ...]
    card: str
    flavour: str
    torch_tensorrt: str
    tensorrt: str
    torch: str
    builder: int

    @property
    def key(self) -> str:
        """Of all attributes: 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Request:
        """What :meth:`to_json` gave.

        Raises:
            KeyError, TypeError, BuildError: it is not that.
        """
        sizes = {name: (int(size[0]), int(size[1])) for name, size in values["profile"].items()}
        rest = {name: value for name, value in values.items() if name not in ("profile", "targets")}
        return cls(profile=Profile(**sizes), targets=tuple(values["targets"]), **rest)


def dtype_of(precision: str) -> torch.dtype:
    """The dtype of a precision.

    Raises:
        BuildError: there is no such precision.
    """
    if precision not in DTYPES:
        raise BuildError(f"precision is {precision!r}; accepted are {', '.join(DTYPES)}")
    return DTYPES[precision]


def tensorrt_version() -> str:
    """Of the TensorRT that builds and runs engines, such as ``tensorrt_rtx 1.5.0.114``.

    Raises:
        BuildError: there is none.
    """
    names = ("tensorrt_rtx",) if installation().flavour == "rtx" else FULL_TENSORRT
    for name in names:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    raise BuildError(
        f"Torch-TensorRT is installed without {' or '.join(names)}; follow its installation instructions"
    )


def fingerprint(module: nn.Module) -> str:
    """sha256 of a module's structure, tensors, other attributes and the source files of its parts.

    Functions that these call in other files are not looked at.

    Raises:
        BuildError: something of it cannot be compared with that of another module.
    """
    digest = hashlib.sha256(repr(module).encode())
    for name in sorted({type(part).__module__ for part in module.modules()}):
        if not name.startswith("torch."):
            digest.update(_source(name).encode())
    for name, part in module.named_modules():
        if part._forward_hooks or part._forward_pre_hooks:
            raise BuildError(
                f"{name or 'the network'} has a forward hook, which would become part of its engine"
            )
        for attribute, value in sorted(vars(part).items()):
            if attribute not in _OF_EVERY_MODULE:
                digest.update(f"{name} {attribute}".encode() + _comparable(f"{name}.{attribute}", value))
    for name, tensor in sorted({**dict(module.named_parameters()), **dict(module.named_buffers())}.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


# Tensors and parts are looked at by themselves, and the mode is not exported.
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))


def _source(name: str) -> str:
    try:
        return inspect.getsource(sys.modules[name])
    except (OSError, TypeError, KeyError) as error:
        raise BuildError(
            f"the source of module {name!r} cannot be read, so that its engines could not be told apart; "
            "define the network in a file that can be imported"
        ) from error


def _comparable(name: str, value: object) -> bytes:
    if isinstance(value, torch.Tensor):
        samples = value.detach().cpu().float().contiguous().numpy()
        return f"{value.dtype} {tuple(value.shape)}".encode() + samples.tobytes()
    try:
        return pickle.dumps(_in_order(value), protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise BuildError(
            f"the attribute {name.lstrip('.')!r} is a {type(value).__name__} that cannot be compared with "
            "another, so that engines could not be told apart; leave it out of the network"
        ) from error


def _in_order(value: object) -> object:
    """The same with lists for sets, whose order is another one in each process."""
    if isinstance(value, set | frozenset):
        return type(value).__name__, sorted(map(_in_order, value), key=repr)
    if isinstance(value, dict):
        return {key: _in_order(of_key) for key, of_key in value.items()}
    if type(value) in (list, tuple):
        return type(value).__name__, [_in_order(part) for part in cast("Sequence[object]", value)]
    return value


def present_target() -> str:
    """The target of the GPU that is PyTorch's current device.

    Raises:
        BuildError: there is none.
    """
    if not torch.cuda.is_available():
        raise BuildError(
            "PyTorch finds no usable NVIDIA GPU and driver to build for; update the driver, or name a GPU "
            "with a target such as sm89"
        )
    return target_of(*torch.cuda.get_device_capability())


def request(
    module: nn.Module,
    *,
    label: str,
    scale: int,
    profile: Profile,
    precision: str = "fp16",
    targets: tuple[str, ...] | None = None,
) -> Request:
    """What :func:`build` would build; see there."""
    dtype_of(precision)
    found = installation()
    offered = offered_targets()
    if targets is None:
        present = present_target()
        if found.flavour == "rtx" and present not in offered:
            raise BuildError(
                f"TensorRT-RTX builds for {', '.join(offered)}, and this GPU is {present}; use PyTorch, "
                "or install full Torch-TensorRT instead"
            )
    return Request(
        label=label,
        weights=fingerprint(module),
        scale=scale,
        profile=profile,
        precision=precision,
        targets=(present,) if targets is None else parse_targets(targets, offered),
        card=torch.cuda.get_device_name() if targets is None and found.flavour == "full" else "",
        flavour=found.flavour,
        torch_tensorrt=found.version,
        tensorrt=tensorrt_version(),
        torch=torch.__version__.partition("+")[0],
        builder=BUILDER,
    )


def build(
    module: nn.Module,
    *,
    scale: int,
    profile: Profile,
    out: Path,
    precision: str = "fp16",
    targets: tuple[str, ...] | None = None,
    label: str = "module",
) -> Request:
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
        targets: GPUs to build for without having them ("sm89", ..., "all"), with TensorRT-RTX; None
            is the GPU in this machine.
        label: recorded with the engine.

    Returns:
        What the engine is.

    Raises:
        BuildError: it cannot be built; the message says why.
    """
    wanted = request(module, label=label, scale=scale, profile=profile, precision=precision, targets=targets)
    write_engine(out, wanted.to_json(), compiled(module, wanted, ahead=targets is not None))
    return wanted


def compiled(module: nn.Module, wanted: Request, *, ahead: bool) -> bytes:
    """The engine of a request, serialised.

    Args:
        module: of the request.
        wanted: the request.
        ahead: build without the GPU.
    """
    dtype = dtype_of(wanted.precision)
    # A graph of the module as it is: the caller's stays in its own dtype.
    copy = deepcopy(module).requires_grad_(False).to("cpu", dtype).eval()
    with TRACING, torch.autocast("cpu", enabled=False):
        return serialized_engine(copy, wanted.profile, dtype, wanted.targets, ahead=ahead)

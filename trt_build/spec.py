"""What an engine is built from: two equal specifications describe the same engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

import torch
from torch import nn

from trt_build.errors import BuildError
from trt_build.fingerprint import fingerprint
from trt_build.frontend import installation, offered_targets
from trt_build.profile import Profile
from trt_build.targets import parse_targets, target_of

# Distributions of full TensorRT; the last two are named after the CUDA version that they are for.
FULL_TENSORRT = ("tensorrt", "tensorrt_cu13", "tensorrt_cu12")
# Version of the build itself. Raise it whenever the same specification shall give another engine or another
# fingerprint: stored engines are then built again.
BUILDER = 4
DTYPES = {"fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """Everything that an engine depends on, and a label; equal specifications have the same engine.

    Attributes:
        label: name of the module, for people; it takes no part in comparisons and keys.
        weights: fingerprint of the module, see :func:`trt_build.fingerprint.fingerprint`.
        scale: upscaling factor.
        profile: accepted sizes of the input.
        precision: "fp16" or "fp32".
        targets: GPUs that the engine runs on, such as "sm89".
        card: name of the GPU where an engine is for that model of card alone (full TensorRT); else empty.
        flavour: "rtx" or "full", see :class:`trt_build.frontend.Installation`.
        torch_tensorrt: version of Torch-TensorRT.
        tensorrt: name and version of TensorRT.
        torch: version of PyTorch, without its CUDA version.
        builder: version of the build itself, :data:`BUILDER`.
    """

    label: str = field(compare=False)
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
        """A sha256 of all attributes but the label: 64 hexadecimal digits."""
        values = self.to_json()
        del values["label"]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return all attributes as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> EngineSpec:
        """Read back the values that :meth:`to_json` gave.

        Raises:
            KeyError, TypeError, BuildError: the values are those of something else.
        """
        sizes = {name: (int(size[0]), int(size[1])) for name, size in values["profile"].items()}
        rest = {name: value for name, value in values.items() if name not in ("profile", "targets")}
        return cls(profile=Profile(**sizes), targets=tuple(values["targets"]), **rest)


def dtype_of(precision: str) -> torch.dtype:
    """Return the dtype of a precision, "fp16" or "fp32".

    Raises:
        BuildError: there is no such precision.
    """
    if precision not in DTYPES:
        raise BuildError(f"precision is {precision!r}; accepted are {', '.join(DTYPES)}")
    return DTYPES[precision]


def tensorrt_version() -> str:
    """Return name and version of the TensorRT that builds and runs engines: ``tensorrt_rtx 1.5.0.114``.

    Raises:
        BuildError: none is installed.
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


def present_target() -> str:
    """Return the target of the GPU that is PyTorch's current device, such as ``sm89``.

    Raises:
        BuildError: PyTorch finds no GPU.
    """
    if not torch.cuda.is_available():
        raise BuildError(
            "PyTorch finds no usable NVIDIA GPU and driver to build for; update the driver, or name a GPU "
            "with a target such as sm89"
        )
    return target_of(*torch.cuda.get_device_capability())


def engine_spec(
    module: nn.Module,
    *,
    label: str,
    scale: int,
    profile: Profile,
    precision: str = "fp16",
    targets: str | Iterable[str] | None = None,
) -> EngineSpec:
    """Specify the engine that :func:`trt_build.build` would build of the same arguments; nothing is built.

    Raises:
        BuildError: no such engine can be built here; the message says why.
    """
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
    return EngineSpec(
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

"""Importing Torch-TensorRT, with or without a GPU in this machine.

Its import and parts of its conversion ask ``torch.cuda`` for properties of the GPU. In an ahead-of-time build
those functions are replaced, and answer for the target instead.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from types import SimpleNamespace
from typing import Any, Literal
from unittest import mock

import torch

from trt_build.errors import BuildError
from trt_build.quiet import native_silence, quiet
from trt_build.targets import TARGETS, capability

Flavour = Literal["rtx", "full"]
# Names of the distributions of Torch-TensorRT, and the flavour of each.
_DISTRIBUTIONS: tuple[tuple[str, Flavour], ...] = (("torch-tensorrt-rtx", "rtx"), ("torch-tensorrt", "full"))
# Memory of a GPU that is not here, in bytes.
PRETENDED_MEMORY = 8 << 30


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The Torch-TensorRT of this environment.

    Attributes:
        flavour: "rtx" (TensorRT-RTX, can build without a GPU) or "full" (TensorRT).
        version: of Torch-TensorRT.
    """

    flavour: Flavour
    version: str


def installation() -> Installation:
    """Find the installed Torch-TensorRT; it is not imported.

    Raises:
        BuildError: neither flavour is installed, or both are.
    """
    found = []
    for name, flavour in _DISTRIBUTIONS:
        try:
            found.append(Installation(flavour=flavour, version=metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    if not found or importlib.util.find_spec("torch_tensorrt") is None:
        raise BuildError(
            "Torch-TensorRT is not installed; run "
            f"'pip install torch-tensorrt-rtx=={torch.__version__.partition('+')[0]}'"
        )
    if len(found) > 1:
        raise BuildError(
            "torch-tensorrt-rtx and torch-tensorrt are both installed and overwrite each other; "
            "uninstall both, then install one"
        )
    return found[0]


def offered_targets() -> tuple[str, ...]:
    """Return the members of ``TARGETS`` that the installed TensorRT can build for.

    Full TensorRT builds for the GPU at hand alone. All are returned then, and building for one is refused.

    Raises:
        BuildError: TensorRT-RTX is installed and cannot be imported.
    """
    if installation().flavour != "rtx":
        return TARGETS
    try:
        capabilities = importlib.import_module("tensorrt_rtx").ComputeCapability
    except (ImportError, OSError) as error:
        raise BuildError(f"TensorRT-RTX cannot be imported ({error}); install it again") from error
    return tuple(target for target in TARGETS if hasattr(capabilities, target.upper()))


@contextmanager
def _device_answers(target: str) -> Iterator[None]:
    """Make ``torch.cuda`` answer, in all threads, as if the GPU of a target were in this machine."""
    major, minor = capability(target)
    properties = SimpleNamespace(
        name=target, major=major, minor=minor, total_memory=PRETENDED_MEMORY, multi_processor_count=1
    )
    answers: dict[str, Any] = {
        "current_device": 0,
        "get_device_capability": (major, minor),
        "get_device_name": target,
        "get_device_properties": properties,
        "mem_get_info": (PRETENDED_MEMORY, PRETENDED_MEMORY),
    }
    with ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, lambda *_, a=answer, **__: a))
        yield


@contextmanager
def _no_plugins() -> Iterator[None]:
    """Hide TensorRT-RTX's package of plugins, which lacks its binary part."""
    # Torch-TensorRT 2.11 fails when it looks for that part. None makes Python raise an ImportError instead.
    name = "tensorrt.plugin"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def front_end(target: str | None) -> Iterator[None]:
    """Import Torch-TensorRT, and answer its questions about the GPU while the context is open.

    Args:
        target: the GPU to answer for, or None for the one in this machine.

    Raises:
        BuildError: Torch-TensorRT is not installed or cannot be imported.
    """
    flavour = installation().flavour
    with ExitStack() as stack:
        if flavour == "rtx":
            stack.enter_context(_no_plugins())
        if target is not None:
            stack.enter_context(_device_answers(target))
        stack.enter_context(quiet("torch_tensorrt"))
        try:
            with ExitStack() as silence:
                # It logs an error about CUDA 13, which concerns plugins for language models alone.
                silence.enter_context(quiet("torch_tensorrt", logging.CRITICAL))
                if target is not None and "torch_tensorrt" not in sys.modules:
                    # Its library warns that it finds no GPU, which is no news here.
                    silence.enter_context(native_silence())
                importlib.import_module("torch_tensorrt")
        except Exception as error:
            # Any error may come, such as an AttributeError: pip installs 2.11 beside any TensorRT-RTX, but it
            # cannot be imported with those after 1.4.
            raise BuildError(
                f"Torch-TensorRT cannot be imported ({error}); its version must be that of torch "
                f"({torch.__version__}), and TensorRT's one that it was made for"
            ) from error
        yield

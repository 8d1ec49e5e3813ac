"""The fingerprint of a module: a hash that differs whenever an engine of the module would."""

from __future__ import annotations

import hashlib
import inspect
import pickle
import sys
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from trt_build.errors import BuildError

# Attributes that every module has. Parameters, buffers and submodules are hashed on their own, and the
# training mode does not matter: modules are exported in evaluation mode.
_COMMON_ATTRIBUTES = frozenset(vars(nn.Module()))


def fingerprint(module: nn.Module) -> str:
    """Hash a module's structure, tensors, other attributes and the source files of its submodules.

    Functions that these files import from elsewhere are not looked at.

    Returns:
        A sha256 of 64 hexadecimal digits.

    Raises:
        BuildError: a part of the module cannot be hashed.
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
            if attribute not in _COMMON_ATTRIBUTES:
                digest.update(f"{name} {attribute}".encode() + _value_bytes(f"{name}.{attribute}", value))
    for name, tensor in sorted({**dict(module.named_parameters()), **dict(module.named_buffers())}.items()):
        digest.update(f"{name} ".encode() + _tensor_bytes(tensor))
    return digest.hexdigest()


def _source(module_name: str) -> str:
    """Return the text of the file that defines an imported Python module."""
    try:
        return inspect.getsource(sys.modules[module_name])
    except (OSError, TypeError, KeyError) as error:
        raise BuildError(
            f"the source of module {module_name!r} cannot be read, so that its engines could not be told "
            "apart; define the network in a file that can be imported"
        ) from error


def _tensor_bytes(tensor: Tensor) -> bytes:
    """Return dtype, shape and raw elements of a tensor, whatever its device and memory layout."""
    elements = tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8)
    return f"{tensor.dtype} {tuple(tensor.shape)}".encode() + elements.numpy().tobytes()


def _value_bytes(name: str, value: object) -> bytes:
    """Return bytes that are equal for equal values, in every process.

    Args:
        name: the attribute's dotted name, for the error message.
        value: the attribute's value.

    Raises:
        BuildError: the value cannot be pickled.
    """
    if isinstance(value, Tensor):
        return _tensor_bytes(value)
    try:
        return pickle.dumps(_without_sets(value), protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise BuildError(
            f"the attribute {name.lstrip('.')!r} is a {type(value).__name__} that cannot be compared with "
            "another, so that engines could not be told apart; leave it out of the network"
        ) from error


def _without_sets(value: object) -> object:
    """Replace sets by sorted lists, at any depth: the order of a set differs between processes."""
    if isinstance(value, set | frozenset):
        return type(value).__name__, sorted(map(_without_sets, value), key=repr)
    if isinstance(value, dict):
        return {key: _without_sets(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value).__name__, [_without_sets(part) for part in cast("Sequence[object]", value)]
    return value

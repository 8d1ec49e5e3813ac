"""Which engine is used: the one asked for, or the fastest that works here."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from vs_emtcm.engines.engine import Engine
from vs_emtcm.engines.torch_engine import TorchEngine
from vs_emtcm.errors import UsageError
from vs_emtcm.models import Weights

BACKENDS = ("auto", "torch")


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


def availabilities() -> tuple[Availability, ...]:
    """Every backend and device, the one that "auto" prefers first."""
    cuda = None if torch.cuda.is_available() else "PyTorch finds no usable NVIDIA GPU and driver"
    return (
        Availability(backend="torch", device="cuda", reason=cuda),
        Availability(backend="torch", device="cpu", reason=None),
    )


def check_backend(backend: str) -> None:
    """Refuse an unknown backend.

    Raises:
        UsageError: ``backend`` is not one of :data:`BACKENDS`.
    """
    if backend not in BACKENDS:
        raise UsageError(f"backend is {backend!r}; accepted are {', '.join(BACKENDS)}")


def choose_device(device: str) -> torch.device:
    """Resolve "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        UsageError: the name is unknown or the device is not there.
    """
    if device == "cpu":
        return torch.device("cpu")
    name, _, index = device.partition(":")
    if device != "auto" and (name != "cuda" or (index and not index.isdecimal()) or device.endswith(":")):
        raise UsageError(f"device is {device!r}; accepted are auto, cpu, cuda and cuda:N")
    if not torch.cuda.is_available():
        if device == "auto":
            return torch.device("cpu")
        raise UsageError(
            f"device {device!r} is not usable: PyTorch finds no NVIDIA GPU and driver; "
            "use device 'cpu' or run 'vs-emtcm doctor'"
        )
    number = int(index or 0)
    if number >= torch.cuda.device_count():
        raise UsageError(f"device {device!r} does not exist; there are {torch.cuda.device_count()}")
    return torch.device("cuda", number)


def create_engine(weights: Weights, *, stages: int, backend: str, device: str) -> Engine:
    """Make the engine that was asked for.

    Args:
        weights: of one scale.
        stages: 1 or 2.
        backend: one of :data:`BACKENDS`.
        device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        UsageError: it cannot be had; the message names what is missing.
    """
    check_backend(backend)
    return TorchEngine(weights, stages, choose_device(device))

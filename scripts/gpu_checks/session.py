"""What all parts of a run share: the device, the sizes, the time left, and what was left out."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch

# The part that builds and runs TensorRT engines, as it is called where it is left out.
TENSORRT_PART = "TensorRT engines"
# Packages that may be missing, and the part of the run that each of them is needed for.
OPTIONAL_PACKAGES = {
    "safetensors": "whole frames",
    "vapoursynth": "the filter",
    "av": "video files",
    "torch_tensorrt": TENSORRT_PART,
}


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A part of the run that was left out.

    Attributes:
        part: its name.
        reason: why it was left out.
        fatal: it is a check, without which nothing can be called correct.
    """

    part: str
    reason: str
    fatal: bool = False

    def __str__(self) -> str:
        return f"{self.part}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Session:
    """What all parts of a run share.

    Attributes:
        device: the device that is checked and timed.
        sizes: (height, width) of the pictures that are timed, by name.
        checked: (height, width) of the picture whose result is compared with the CPU's.
        seconds: duration of each timing.
        deadline: when nothing new is begun, on the clock of ``time.perf_counter``.
        skipped: what was left out; the parts of the run add to it.
    """

    device: torch.device
    sizes: Mapping[str, tuple[int, int]]
    checked: tuple[int, int]
    seconds: float
    deadline: float
    skipped: list[Skipped]

    def while_time[Case](self, part: str, cases: Iterable[Case]) -> Iterator[Case]:
        """Yield the cases that can be begun before the deadline."""
        for case in cases:
            if time.perf_counter() > self.deadline:
                self.skipped.append(Skipped(part=f"{part}, in part", reason="there was no time left"))
                return
            yield case

    @contextmanager
    def attempt(self, part: str, *, fatal: bool = False) -> Iterator[None]:
        """Note whatever error is raised inside, such as for want of memory, as a skipped part, and go on.

        Args:
            part: what is attempted.
            fatal: see :class:`Skipped`.
        """
        try:
            yield
        except Exception as error:
            first_line = str(error).strip().partition("\n")[0]
            reason = f"{type(error).__name__}: {first_line}"
            self.skipped.append(Skipped(part=part, reason=reason, fatal=fatal))

    def has_skipped(self, part: str) -> bool:
        """Tell whether a part was left out."""
        return any(skipped.part == part for skipped in self.skipped)


def present(module: str) -> bool:
    """Tell whether a package is installed."""
    # A test that blocks a package puts None there.
    return sys.modules.get(module, ...) is not None and importlib.util.find_spec(module) is not None


def missing_packages() -> list[Skipped]:
    """Return the parts that are left out because a package is not installed."""
    return [
        Skipped(part=part, reason=f"{package} is not installed")
        for package, part in OPTIONAL_PACKAGES.items()
        if not present(package)
    ]

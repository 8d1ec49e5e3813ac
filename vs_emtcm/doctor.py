"""``vs-emtcm doctor``: the packages that are installed here, and the backends that work."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from vs_emtcm.engines import Availability, availabilities
from vs_emtcm.errors import EmtcmError
from vs_emtcm.formats import PixelFormat
from vs_emtcm.upscaler import Upscaler

PACKAGES = (
    "vs-emtcm",
    "torch",
    "numpy",
    "av",
    "pillow",
    "vapoursynth",
    "vapoursynth-bestsource",
    "safetensors",
    "torch-tensorrt-rtx",
    "torch-tensorrt",
    "tensorrt_rtx",
    "tensorrt",
    "openvino",
)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The state of an installation.

    Attributes:
        python: version of Python.
        system: operating system and processor.
        versions: version of each package; None if it is not installed.
        gpus: names of the CUDA devices.
        backends: each backend, with the reason if it does not work.
    """

    python: str
    system: str
    versions: dict[str, str | None]
    gpus: tuple[str, ...]
    backends: tuple[Availability, ...]

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def diagnose() -> Diagnosis:
    """Find out the state of this installation."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return Diagnosis(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        versions={name: _version(name) for name in PACKAGES},
        gpus=tuple(torch.cuda.get_device_name(i) for i in range(count)),
        backends=tuple(_try(found) for found in availabilities()),
    )


def _try(found: Availability) -> Availability:
    """Try an installed backend with a small picture; of TensorRT only its parts, as engines take long."""
    if found.reason is not None:
        return found
    try:
        if found.backend == "tensorrt":
            from vs_emtcm.engines.tensorrt_engine import check_installation

            check_installation()
        else:
            upscaler = Upscaler(2, stages=1, backend=found.backend, device=found.device)
            upscaler.upscale([np.zeros((16, 16), np.uint8)], PixelFormat(family="gray"))
    except (EmtcmError, RuntimeError) as error:
        return replace(found, reason=" ".join(str(error).split()))
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

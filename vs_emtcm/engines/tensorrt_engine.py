"""TensorRT: a float16 engine from the store, built on demand, one execution context per thread."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trt_build import Profile, get_or_build, request
from vs_emtcm.engines.half import from_half, to_half
from vs_emtcm.engines.streams import ALONE, own_stream
from vs_emtcm.engines.weights import load_network
from vs_emtcm.errors import EmtcmError
from vs_emtcm.models import Weights
from vs_emtcm.network import DetailNetwork

# Of the picture, without its border: 1080p is what most people have, larger frames are tiled,
# smaller ones padded.
PROFILE = Profile(minimum=(16, 16), optimum=(1080, 1920), maximum=(2304, 4096))


def engine_module(weights: Weights, stages: int) -> tuple[DetailNetwork, int]:
    """What an engine is built of: the module, and the border of its input."""
    network = load_network(weights, stages)
    return DetailNetwork(network), network.radius


def default_store() -> Path:
    """The folder of engines in the user's cache."""
    from platformdirs import user_cache_path

    return user_cache_path("vs-emtcm") / "engines"


@contextmanager
def _tensorrt_errors() -> Iterator[None]:
    try:
        yield
    except EmtcmError:
        raise
    except Exception as error:
        # Another version may lack what is used here, a driver may refuse: TensorRT says so in many ways.
        raise EmtcmError(f"backend 'tensorrt': {' '.join(str(error).split())}") from error


def check_installation() -> None:
    """See whether engines could be built and run here; none is.

    Raises:
        EmtcmError: they could not.
    """
    with _tensorrt_errors():
        _tensorrt(request(nn.Identity(), label="none", scale=2, profile=PROFILE).flavour)


def _tensorrt(flavour: str) -> ModuleType:
    """What runs the engines of a flavour; both may be installed."""
    return importlib.import_module("tensorrt_rtx" if flavour == "rtx" else "tensorrt")


@cache
def _logger(flavour: str) -> Any:
    """The only one of the process: TensorRT keeps the first, and warns of every other."""
    trt = _tensorrt(flavour)
    return trt.Logger(trt.Logger.WARNING)


def _compiles(trt: ModuleType) -> bool:
    """Whether kernels are compiled where they run, as by TensorRT-RTX."""
    return hasattr(trt, "DynamicShapesKernelSpecializationStrategy")


def _configuration(trt: ModuleType, engine: Any) -> tuple[Any, Any]:
    """What execution contexts are created with, and where they find what was compiled for one of them.

    TensorRT holds both by address alone: whoever has a context keeps them.

    Args:
        trt: TensorRT.
        engine: of the contexts.
    """
    # Its user brings the memory.
    memory = trt.ExecutionContextAllocationStrategy.USER_MANAGED
    if not _compiles(trt):
        return memory, None
    configuration = engine.create_runtime_config()
    configuration.set_execution_context_allocation_strategy(memory)
    # TensorRT-RTX would begin with other kernels than it goes on with: the same frame would not
    # always give the same bits.
    configuration.dynamic_shapes_kernel_specialization_strategy = (
        trt.DynamicShapesKernelSpecializationStrategy.EAGER
    )
    kernels = configuration.create_runtime_cache()
    configuration.set_runtime_cache(kernels)
    return configuration, kernels


class TensorrtEngine:
    """See :class:`vs_emtcm.engines.engine.Engine`.

    Args:
        weights: of one scale.
        stages: 1 or 2.
        device: a CUDA device.
        label: of the model, for the engine's file name.
        store: folder of engines.

    Raises:
        EmtcmError: the engine cannot be built or loaded.
    """

    def __init__(
        self, weights: Weights, stages: int, device: torch.device, *, label: str, store: Path
    ) -> None:
        module, radius = engine_module(weights, stages)
        # Before what it needs, for attributes are given up in the order in which they came.
        self._context: Any = None
        with torch.cuda.device(device), _tensorrt_errors():
            wanted = request(
                module,
                label=f"{label}-stage{stages}",
                scale=weights.scale,
                profile=PROFILE.grown(radius),
            )
            serialized = get_or_build(store, module, wanted, ahead=False)
            self._trt = _tensorrt(wanted.flavour)
            self._runtime = self._trt.Runtime(_logger(wanted.flavour))
            self._engine = self._runtime.deserialize_cuda_engine(serialized)
            if self._engine is None:
                raise EmtcmError(
                    "backend 'tensorrt': the driver refuses the engine; update the NVIDIA driver, or "
                    "run 'vs-emtcm engines clear' and try again"
                )
            self._configuration, self._kernels = _configuration(self._trt, self._engine)
        self.device = device
        self.largest: tuple[int, int] | None = PROFILE.maximum
        self.tile_pixels: int | None = None
        self.scale = weights.scale
        self.radius = radius
        name = torch.cuda.get_device_name(device)
        self.description = f"TensorRT {wanted.tensorrt} on {name}, float16"
        self._input = self._engine.get_tensor_name(0)
        self._output = self._engine.get_tensor_name(1)
        self._begin()
        # TensorRT-RTX compiles for the GPU when an engine is first run: what does not work shall show while
        # another engine can still be chosen.
        side = 2 * radius + 1
        with ALONE, torch.cuda.device(device), torch.cuda.stream(self.stream), _tensorrt_errors():
            self(torch.zeros(1, 1, side, side, dtype=torch.float32, device=device)).cpu()

    def _begin(self) -> None:
        """What belongs to one thread."""
        with torch.cuda.device(self.device), _tensorrt_errors():
            # Its memory comes from PyTorch, for the size at hand: a frame that does not fit is then
            # reported like any other tensor that does not fit.
            with ALONE:
                self._context = self._engine.create_execution_context(self._configuration)
            if self._context is None:
                raise EmtcmError(
                    "backend 'tensorrt': there is not enough GPU memory for one more lane; use fewer lanes"
                )
            self._size: torch.Size | None = None
            self._memory: Tensor | None = None
            self.stream: torch.cuda.Stream | None = own_stream(self.device, self)

    def __call__(self, x: Tensor) -> Tensor:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        rows, columns = (n - 2 * self.radius for n in x.shape[-2:])
        below, right = max(0, PROFILE.minimum[0] - rows), max(0, PROFILE.minimum[1] - columns)
        half = to_half(x).contiguous()
        if below or right:
            half = F.pad(half, (0, right, 0, below))
        detail = half.new_empty((1, self.scale**2, rows + below, columns + right))
        context = self._context
        ready = (
            self._prepared(half.shape)
            and context.set_tensor_address(self._input, half.data_ptr())
            and context.set_tensor_address(self._output, detail.data_ptr())
        )
        if not ready or not self._execute():
            raise EmtcmError("backend 'tensorrt': the engine failed; its own message is above")
        return from_half(x, detail[..., :rows, :columns], self.scale)

    def _execute(self) -> bool:
        stream = torch.cuda.current_stream(self.device).cuda_stream
        if self._context.execute_async_v3(stream):
            return True
        if torch.cuda.is_current_stream_capturing():
            return False
        # It compiles for a new size in memory of its own, which PyTorch may be keeping for later.
        torch.cuda.empty_cache()
        return bool(self._context.execute_async_v3(stream))

    def another(self) -> Self:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        twin = copy.copy(self)
        twin._begin()
        return twin

    def release(self) -> None:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        self._size = self._memory = None

    def _prepared(self, size: torch.Size) -> bool:
        """Give the context the memory that it needs for an input of this size."""
        if size == self._size:
            return True
        self.release()
        if not self._context.set_input_shape(self._input, tuple(size)):
            return False
        needed = self._context.update_device_memory_size_for_shapes()
        # None at all is also how it says that it could not tell.
        if needed <= 0 and self._engine.device_memory_size_v2 > 0:
            return False
        needed = max(1, needed)
        self._memory = torch.empty(needed, dtype=torch.uint8, device=self.device)
        self._context.set_device_memory(self._memory.data_ptr(), needed)
        self._size = size
        return True

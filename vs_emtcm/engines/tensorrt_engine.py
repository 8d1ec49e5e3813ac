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

from trt_build import engine_spec, get_or_build
from vs_emtcm.engines.half import to_half
from vs_emtcm.engines.streams import ALONE, own_stream
from vs_emtcm.engines.tensorrt_plan import PROFILE, plan_engine
from vs_emtcm.errors import EmtcmError
from vs_emtcm.network import assemble_at_once
from vs_emtcm.weights_file import Weights


def default_store() -> Path:
    """Return the folder of engines in the user's cache."""
    from platformdirs import user_cache_path

    return user_cache_path("vs-emtcm") / "engines"


@contextmanager
def _tensorrt_errors() -> Iterator[None]:
    """Turn whatever is raised inside into an EmtcmError of one sentence."""
    try:
        yield
    except EmtcmError:
        raise
    except Exception as error:
        # Other versions lack names that are used here, and drivers refuse: there is no common error class.
        raise EmtcmError(f"backend 'tensorrt': {' '.join(str(error).split())}") from error


def check_installation() -> None:
    """Check whether engines could be built and run here; none is.

    Raises:
        EmtcmError: they could not.
    """
    with _tensorrt_errors():
        _tensorrt(engine_spec(nn.Identity(), label="none", scale=2, profile=PROFILE).flavour)


def _tensorrt(flavour: str) -> ModuleType:
    """Import the package that runs engines of a flavour, "rtx" or "full"; both may be installed."""
    return importlib.import_module("tensorrt_rtx" if flavour == "rtx" else "tensorrt")


@cache
def _logger(flavour: str) -> Any:
    """Return the one logger of this process: TensorRT keeps the first, and warns of every other."""
    trt = _tensorrt(flavour)
    return trt.Logger(trt.Logger.WARNING)


def _compiles_at_runtime(trt: ModuleType) -> bool:
    """Tell whether kernels are compiled where they run, as TensorRT-RTX does."""
    return hasattr(trt, "DynamicShapesKernelSpecializationStrategy")


def _context_configuration(trt: ModuleType, engine: Any) -> tuple[Any, Any]:
    """Make the configuration of an engine's execution contexts, and the cache of kernels that they share.

    TensorRT holds both by address alone: keep them as long as there are contexts.

    Args:
        trt: TensorRT.
        engine: the deserialised engine.

    Returns:
        The argument of ``create_execution_context``, and the runtime cache or None.
    """
    # The memory of a context is allocated by PyTorch, see TensorrtEngine._prepare.
    allocation = trt.ExecutionContextAllocationStrategy.USER_MANAGED
    if not _compiles_at_runtime(trt):
        return allocation, None
    configuration = engine.create_runtime_config()
    configuration.set_execution_context_allocation_strategy(allocation)
    # By default TensorRT-RTX starts with fallback kernels and changes to better ones once they are compiled:
    # the same frame would not always give the same bits.
    configuration.dynamic_shapes_kernel_specialization_strategy = (
        trt.DynamicShapesKernelSpecializationStrategy.EAGER
    )
    kernels = configuration.create_runtime_cache()
    configuration.set_runtime_cache(kernels)
    return configuration, kernels


class TensorrtEngine:
    """Runs the network in float16 with TensorRT; see :class:`vs_emtcm.engines.engine.Engine`.

    Args:
        weights: of one scale.
        stages: 1 or 2.
        device: a CUDA device.
        label: name of the model, for the engine's file name.
        store: folder of engines.

    Raises:
        EmtcmError: the engine cannot be built or loaded.
    """

    def __init__(
        self, weights: Weights, stages: int, device: torch.device, *, label: str, store: Path
    ) -> None:
        # First of all attributes: they are deleted in this order, and a context must go before its engine.
        self._context: Any = None
        with torch.cuda.device(device), _tensorrt_errors():
            plan = plan_engine(weights, stages, model=label)
            flavour = plan.spec.flavour
            serialized = get_or_build(store, plan.module, plan.spec)
            self._trt = _tensorrt(flavour)
            self._runtime = self._trt.Runtime(_logger(flavour))
            self._engine = self._runtime.deserialize_cuda_engine(serialized)
            if self._engine is None:
                raise EmtcmError(
                    "backend 'tensorrt': the driver refuses the engine; update the NVIDIA driver, or "
                    "run 'vs-emtcm engines clear' and try again"
                )
            self._configuration, self._kernels = _context_configuration(self._trt, self._engine)
        self.device = device
        self.largest: tuple[int, int] | None = PROFILE.maximum
        self.tile_pixels: int | None = None
        self.radius = plan.radius
        self.scale = weights.scale
        name = torch.cuda.get_device_name(device)
        self.description = f"TensorRT {plan.spec.tensorrt} on {name}, float16"
        self._input = self._engine.get_tensor_name(0)
        self._output = self._engine.get_tensor_name(1)
        self._init_thread_state()
        # TensorRT-RTX compiles for the GPU when an engine is first run. Run it now, while another backend can
        # still be chosen if that fails.
        side = 2 * self.radius + 1
        with ALONE, torch.cuda.device(device), torch.cuda.stream(self.stream), _tensorrt_errors():
            self(torch.zeros(1, 1, side, side, dtype=torch.float32, device=device)).cpu()

    def _init_thread_state(self) -> None:
        """Make what no two threads share: execution context, its memory, and a stream."""
        with torch.cuda.device(self.device), _tensorrt_errors():
            # The context allocates no memory itself. PyTorch does, for the size at hand, so that a frame that
            # does not fit raises the same error as any other tensor that does not fit.
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
            self._prepare(half.shape)
            and context.set_tensor_address(self._input, half.data_ptr())
            and context.set_tensor_address(self._output, detail.data_ptr())
        )
        if not ready or not self._execute():
            raise EmtcmError("backend 'tensorrt': the engine failed; its own message is above")
        return assemble_at_once(x, detail[..., :rows, :columns], self.scale)

    def _execute(self) -> bool:
        """Ask for the kernels on the current stream; False if TensorRT refuses."""
        stream = torch.cuda.current_stream(self.device).cuda_stream
        if self._context.execute_async_v3(stream):
            return True
        # Giving memory back would break the recording of a CUDA graph.
        if torch.cuda.is_current_stream_capturing():
            return False
        # For a new size TensorRT-RTX compiles in memory of its own, which PyTorch's allocator may be caching.
        torch.cuda.empty_cache()
        return bool(self._context.execute_async_v3(stream))

    def another(self) -> Self:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        twin = copy.copy(self)
        twin._init_thread_state()
        return twin

    def release(self) -> None:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        self._size = self._memory = None

    def _prepare(self, size: torch.Size) -> bool:
        """Give the context the memory for an input of this shape; False if it does not take the shape."""
        if size == self._size:
            return True
        self.release()
        if not self._context.set_input_shape(self._input, tuple(size)):
            return False
        needed = self._context.update_device_memory_size_for_shapes()
        # Zero is also how TensorRT reports a failure.
        if needed <= 0 and self._engine.device_memory_size_v2 > 0:
            return False
        needed = max(1, needed)
        self._memory = torch.empty(needed, dtype=torch.uint8, device=self.device)
        self._context.set_device_memory(self._memory.data_ptr(), needed)
        self._size = size
        return True

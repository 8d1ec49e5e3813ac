"""PyTorch on CUDA: float16, channels last, one CUDA graph per size, one stream per engine."""

from __future__ import annotations

import copy
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vs_emtcm.engines.half import from_half, to_half
from vs_emtcm.engines.streams import own_stream
from vs_emtcm.engines.weights import load_network
from vs_emtcm.errors import EmtcmError, is_device_out_of_memory, reason
from vs_emtcm.models import Weights
from vs_emtcm.network import DetailNetwork

_log = logging.getLogger(__name__)
# Sizes whose graphs are kept; a video has one.
GRAPHS = 4
WARM_UP = 2
# Beginning a capture synchronises the device, which would break a capture in progress in another lane.
_CAPTURING = threading.Lock()
# Pixels of a tile: a 1080p frame and a little more. What a graph keeps grows with its size, and each lane has
# a graph.
TILE_PIXELS = 1 << 21


@dataclass(frozen=True, kw_only=True)
class _CapturedGraph:
    graph: torch.cuda.CUDAGraph
    x: Tensor
    detail: Tensor


@contextmanager
def _one_sentence_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise EmtcmError(
            f"backend 'torch': the GPU cannot be used ({reason(error)}); or use device 'cpu'"
        ) from error


class CudaEngine:
    """See :class:`vs_emtcm.engines.engine.Engine`.

    Args:
        weights: of one scale.
        stages: 1 or 2.
        device: a CUDA device.

    Raises:
        EmtcmError: PyTorch has no kernels for it, or it has no memory left.
    """

    def __init__(self, weights: Weights, stages: int, device: torch.device) -> None:
        network = load_network(weights, stages)
        self.device = device
        self.largest: tuple[int, int] | None = None
        self.tile_pixels: int | None = TILE_PIXELS
        self._records = True
        self.scale = weights.scale
        self.radius = network.radius
        with _one_sentence_errors():
            self.description = f"torch {torch.__version__} on {torch.cuda.get_device_name(device)}, float16"
            self._network = DetailNetwork(network).to(
                device, torch.float16, memory_format=torch.channels_last
            )  # type: ignore[call-overload]
            # What does not work shall show while another engine can still be chosen.
            side = 2 * self.radius + 1
            with torch.inference_mode():
                self._network(torch.zeros(1, 1, side, side, dtype=torch.float16, device=device)).cpu()
        self._begin()

    def _begin(self) -> None:
        """What belongs to one thread."""
        with _one_sentence_errors():
            self.stream: torch.cuda.Stream | None = own_stream(self.device, self)
        self._recorded: OrderedDict[torch.Size, _CapturedGraph] = OrderedDict()

    def __call__(self, x: Tensor) -> Tensor:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        half = to_half(x)
        recorded = self._recorded.get(x.shape)
        if recorded is None and self._records:
            recorded = self._capture(half)
        if recorded is None:
            return from_half(x, self._network(half), self.scale)
        self._recorded.move_to_end(x.shape)
        recorded.x.copy_(half)
        recorded.graph.replay()
        return from_half(x, recorded.detail, self.scale)

    def another(self) -> Self:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        twin = copy.copy(self)
        twin._begin()
        return twin

    def release(self) -> None:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        self._recorded.clear()
        # Wait for captures in progress: until they end, PyTorch gives no memory back to the device.
        with _CAPTURING:
            pass

    def _capture(self, x: Tensor) -> _CapturedGraph | None:
        """The graph of a size, or None if the program does not let one be recorded."""
        graph = torch.cuda.CUDAGraph()
        with _CAPTURING:
            for _ in range(WARM_UP):
                self._network(x)
            try:
                # Other lanes go on allocating while this one records.
                with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                    detail = self._network(x)
            except RuntimeError as error:
                if is_device_out_of_memory(error):
                    raise
                # Such as another filter that waited for the whole device just then.
                _log.warning(
                    "emtcm: no CUDA graph could be recorded (%s); going on without, slower", reason(error)
                )
                self._records = False
                return None
        recorded = _CapturedGraph(graph=graph, x=x, detail=detail)
        self._recorded[x.shape] = recorded
        if len(self._recorded) > GRAPHS:
            self._recorded.popitem(last=False)
        return recorded

"""The work on a frame as one CUDA graph: Python takes longer to ask for kernels than a GPU to run them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from vs_emtcm.errors import reason

_log = logging.getLogger(__name__)
# Beginning a capture waits for the device, and so does what a lane asks for at first, such as cuDNN's handle:
# that would break a capture in progress in another lane.
_CAPTURING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    x: Tensor
    result: Tensor


class Recorder:
    """Does the same work on one tensor after the other, from the second of a kind on as a CUDA graph.

    The first chooses algorithms and makes what is kept between frames. One recording is kept: what belongs to
    the engine at the size of its frames is gone with the next size.

    Args:
        stream: of the lane, which is the current one in every call.
    """

    def __init__(self, stream: torch.cuda.Stream) -> None:
        self._stream = stream
        self._kind: Hashable = None
        self._recording: _Recording | None = None
        self._records = True

    def __call__(self, kind: Hashable, x: Tensor, work: Callable[[Tensor], Tensor]) -> Tensor:
        """``work(x)``; the next call may overwrite it.

        Args:
            kind: two calls of one kind have ``x`` of one shape, and work that asks for the same kernels and
                nothing else: it waits for nothing, and looks at no value. None: this is no such work.
            x: on the GPU.
            work: what is done.
        """
        if kind is None or kind != self._kind:
            self.release()
            self._kind = kind
            with _CAPTURING:
                return work(x)
        if self._recording is None and self._records:
            self._recording = self._recorded(x, work)
        if self._recording is None:
            return work(x)
        self._recording.x.copy_(x)
        self._recording.graph.replay()
        return self._recording.result

    def release(self) -> None:
        """Give back the memory of the recording."""
        self._kind = self._recording = None
        # Wait for captures in progress: until they end, PyTorch gives no memory back to the device.
        with _CAPTURING:
            pass

    def _recorded(self, x: Tensor, work: Callable[[Tensor], Tensor]) -> _Recording | None:
        """The recording, or None if the program or the memory does not let one be made."""
        x, graph = x.clone(), torch.cuda.CUDAGraph()
        pool = torch.cuda.graph_pool_handle()
        with _CAPTURING:
            # The last frame may have been another thread's, whose handles are its own.
            work(x)
            try:
                # Other lanes go on allocating while this one records.
                with torch.cuda.graph(graph, pool, self._stream, capture_error_mode="thread_local"):
                    result = work(x)
            except RuntimeError as error:
                # PyTorch takes it for one that goes on, and would give no memory back from now on.
                with suppress(RuntimeError):
                    torch._C._cuda_endAllocateToPool(x.device.index, pool)
                # Such as another filter that waited for the whole device just then.
                _log.warning(
                    "emtcm: no CUDA graph could be recorded (%s); going on without, slower", reason(error)
                )
                self._records = False
                return None
        return _Recording(graph=graph, x=x, result=result)

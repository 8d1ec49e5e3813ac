"""The work on a frame as one CUDA graph: Python takes longer to ask for kernels than a GPU to run them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from vs_emtcm.engines.streams import ALONE
from vs_emtcm.errors import EmtcmError, reason

_log = logging.getLogger(__name__)
# Of recordings of a kind: what breaks one may be gone with the next frame, such as another filter that waited
# for the whole device just then.
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    x: Tensor
    result: Tensor


class Recorder:
    """Does the same work on one tensor after the other, from the second of a kind on as a CUDA graph.

    The first chooses algorithms and makes what is kept between frames. One recording is kept: what belongs to
    the engine at the size of its frames is gone with the next size.
    """

    def __init__(self) -> None:
        self._kind: Hashable = None
        self._recording: _Recording | None = None
        self._failures = 0

    @property
    def recorded(self) -> bool:
        """Whether the next frame of the kind of the last one is a graph."""
        return self._recording is not None

    def __call__(self, kind: Hashable, x: Tensor, work: Callable[[Tensor], Tensor]) -> Tensor:
        """``work(x)``; the next call may overwrite it, and ``x``.

        Args:
            kind: two calls of one kind have ``x`` of one shape, and work that asks for the same kernels and
                nothing else: it waits for nothing, and looks at no value.
            x: on the GPU.
            work: what is done, on the current stream, which is always the same.
        """
        if kind != self._kind:
            self.release()
            self._kind = kind
            with ALONE:
                return work(x)
        if self._recording is None and self._failures < TRIES:
            self._recording = self._recorded(x, work)
        if self._recording is None:
            return work(x)
        self._recording.x.copy_(x)
        self._recording.graph.replay()
        return self._recording.result

    def release(self) -> None:
        """Give back the memory of the recording."""
        self._kind = self._recording = None
        self._failures = 0
        # Wait for recordings in progress: until they end, PyTorch gives no memory back to the device.
        with ALONE:
            pass

    def _recorded(self, x: Tensor, work: Callable[[Tensor], Tensor]) -> _Recording | None:
        """The recording, or None if the program or the memory does not let one be made."""
        graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
        stream = torch.cuda.current_stream(x.device)
        with ALONE:
            # The last frame may have been another thread's, whose handles are its own.
            work(x)
            try:
                # Other lanes go on allocating while this one records.
                with torch.cuda.graph(graph, pool, stream, capture_error_mode="thread_local"):
                    result = work(x)
            except (RuntimeError, EmtcmError) as error:
                _end_by_hand(graph, pool, x.device)
                self._failures += 1
                if self._failures == TRIES:
                    _log.warning(
                        "emtcm: no CUDA graph could be recorded (%s); going on without, slower", reason(error)
                    )
                return None
        return _Recording(graph=graph, x=x, result=result)


def _end_by_hand(graph: torch.cuda.CUDAGraph, pool: tuple[int, int], device: torch.device) -> None:
    """What PyTorch 2.11 to 2.13 leave out after a broken capture: memory would never be given back."""
    try:
        graph.pool()
    except RuntimeError:
        for step in (torch._C._cuda_endAllocateToPool, torch._C._cuda_releasePool):
            with suppress(RuntimeError):
                step(device.index, pool)

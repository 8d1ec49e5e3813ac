"""Record the work on a frame as one CUDA graph, and replay it for the frames that follow.

Without it, Python takes longer to launch the kernels than the GPU to run them.
"""

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
# Failed recordings of one kind of work after which none is tried any more. A failure may be chance: another
# filter that waits for the whole device breaks a recording in progress.
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class _Recording:
    """A CUDA graph that reads ``x`` and writes ``result``, always in the same memory."""

    graph: torch.cuda.CUDAGraph
    x: Tensor
    result: Tensor


class Recorder:
    """Does the same work on one tensor after the other, as a CUDA graph from the second one of a kind on.

    The first tensor of a kind is not recorded: it lets libraries choose algorithms, and allocates what is
    kept between frames. Only the recording of the last kind is kept, because engines keep their memory for
    one size of frames.
    """

    def __init__(self) -> None:
        self._kind: Hashable = None
        self._recording: _Recording | None = None
        self._failures = 0

    @property
    def recorded(self) -> bool:
        """Whether there is a recording, which the next tensor of the same kind replays."""
        return self._recording is not None

    def __call__(self, kind: Hashable, x: Tensor, work: Callable[[Tensor], Tensor]) -> Tensor:
        """Return ``work(x)``, which the next call may overwrite.

        Args:
            kind: identifies the work. Calls of one kind have ``x`` of one shape and dtype, and launch the
                same kernels; their work neither waits for the device nor looks at a value on it.
            x: a tensor on the GPU.
            work: done on the current stream, which must be the same one for all calls.
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
        # Recordings in progress, of other lanes, must end first: until then PyTorch gives no memory back to
        # the device.
        with ALONE:
            pass

    def _recorded(self, x: Tensor, work: Callable[[Tensor], Tensor]) -> _Recording | None:
        """Record the work, or return None if another part of the program or short memory prevents it."""
        graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
        stream = torch.cuda.current_stream(x.device)
        with ALONE:
            # Libraries keep handles for each thread, which cannot be made in a recording, and the last frame
            # may have been another thread's.
            work(x)
            try:
                # "thread_local", because other lanes go on allocating meanwhile.
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
    """End a broken capture, as PyTorch 2.11 to 2.13 do not: its memory would never be given back."""
    try:
        graph.pool()
    except RuntimeError:
        for step in (torch._C._cuda_endAllocateToPool, torch._C._cuda_releasePool):
            with suppress(RuntimeError):
                step(device.index, pool)

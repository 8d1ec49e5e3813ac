"""Frames between the host and the device of an engine: one packed copy each way."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from vs_emtcm.errors import reason
from vs_emtcm.formats import Plane
from vs_emtcm.samples import torch_dtype

_log = logging.getLogger(__name__)
# 8-bit luma of the trial: 1080p in, twice that out.
TRIAL_SIZE = (1080, 1920)
TRIAL_SCALE = 2
TRIALS = 5


class HostBuffer:
    """The host memory of one lane, through which its frames come and go.

    Args:
        device: of the engine.
        pinned: page-locked memory, which a GPU reads and writes by itself while the CPU goes on. Where
            the system has no more of it, ordinary memory serves.
    """

    def __init__(self, device: torch.device, *, pinned: bool) -> None:
        self.device = device
        self.pinned = pinned
        self._memory = torch.empty(0, dtype=torch.uint8, device="cpu")

    def _bytes(self, size: int) -> Tensor:
        if self._memory.numel() < size:
            try:
                self._memory = torch.empty(size, dtype=torch.uint8, device="cpu", pin_memory=self.pinned)
            except RuntimeError as error:
                if not self.pinned:
                    raise
                _log.warning(
                    "emtcm: page-locked memory cannot be had, ordinary memory is used: %s", reason(error)
                )
                self.pinned = False
                self._memory = torch.empty(size, dtype=torch.uint8, device="cpu")
        return self._memory[:size]

    def upload(self, planes: Sequence[Plane]) -> Tensor:
        """Planes of one dtype on the device, one after the other; see :func:`unpacked`.

        The arrays are not kept, and on a CPU the result is the host memory itself.

        Args:
            planes: (H, W) each, read-only ones and any strides included.
        """
        memory = self._bytes(sum(plane.nbytes for plane in planes)).view(torch_dtype(planes[0].dtype))
        host, start = memory.numpy(), 0
        for plane in planes:
            np.copyto(host[start : start + plane.size].reshape(plane.shape), plane)
            start += plane.size
        return memory.to(self.device, non_blocking=self.pinned)

    def download(self, packed: Tensor, targets: Sequence[Plane]) -> None:
        """Write samples into planes; they are complete when this returns.

        Args:
            packed: of all planes, on the device; see :func:`packed`.
            targets: (H, W) each, of the same dtype.
        """
        memory = self._bytes(packed.nbytes).view(packed.dtype)
        if self.pinned:
            memory.copy_(packed, non_blocking=True)
            self._wait()
        else:
            self._wait()
            memory.copy_(packed)
        host, start = memory.numpy(), 0
        for target in targets:
            np.copyto(target, host[start : start + target.size].reshape(target.shape))
            start += target.size

    def _wait(self) -> None:
        """For all that the lane has asked of the GPU, asleep: an encoder may want the core."""
        if self.device.type == "cpu":
            return
        done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        done.record(torch.cuda.current_stream(self.device))
        done.synchronize()


def unpacked(packed: Tensor, shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Code values of every plane, float32 (1, 1, H, W).

    Args:
        packed: what :meth:`HostBuffer.upload` gave.
        shapes: (H, W) of every plane.
    """
    parts = torch.split(packed, [height * width for height, width in shapes])
    return [part.view(1, 1, *shape).float() for part, shape in zip(parts, shapes, strict=True)]


def packed(samples: Iterable[Tensor]) -> Tensor:
    """Samples of one dtype, one plane after the other.

    Args:
        samples: (1, 1, H, W) each.
    """
    return torch.cat([plane.reshape(-1) for plane in samples])


@functools.cache
def pinned_is_faster(device: torch.device) -> bool:
    """Whether a frame comes and goes faster through page-locked memory than through ordinary memory.

    That depends on card, driver and system: it is measured where it matters, once for each device, in
    a few hundredths of a second.

    Args:
        device: a CUDA device.
    """
    pinned, ordinary = HostBuffer(device, pinned=True), HostBuffer(device, pinned=False)
    seconds = _trial_seconds(pinned), _trial_seconds(ordinary)
    _log.debug(
        "a 1080p frame comes and goes in %.2f ms through page-locked memory, %.2f ms through ordinary memory",
        *(1e3 * taken for taken in seconds),
    )
    return pinned.pinned and seconds[0] < seconds[1]


def _trial_seconds(buffer: HostBuffer) -> float:
    source = np.zeros(TRIAL_SIZE, np.uint8)
    target = np.zeros((TRIAL_SCALE * TRIAL_SIZE[0], TRIAL_SCALE * TRIAL_SIZE[1]), np.uint8)
    result = torch.zeros(target.size, dtype=torch.uint8, device=buffer.device)
    seconds = []
    # The first frame allocates.
    for _ in range(1 + TRIALS):
        start = time.perf_counter()
        buffer.upload([source])
        buffer.download(result, [target])
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])

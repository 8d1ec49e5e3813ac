"""Copy frames between the host and the device of an engine, all planes at once each way."""

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
# Size of the 8-bit luma that a trial of page-locked memory uploads, (height, width).
TRIAL_SIZE = (1080, 1920)
# Factor by which the luma that it downloads is larger.
TRIAL_SCALE = 2
# Frames of a trial whose time is taken; the fastest counts.
TRIALS = 5


class HostBuffer:
    """A buffer in host memory through which the frames of one lane go to the device and back.

    Args:
        device: of the engine.
        pinned: use page-locked memory, which a GPU reads and writes by itself while the CPU goes on. Where
            the system has no more of it, ordinary memory is used.

    Attributes:
        device: as given.
        pinned: whether the memory is page-locked.
    """

    def __init__(self, device: torch.device, *, pinned: bool) -> None:
        self.device = device
        self.pinned = pinned
        self._memory = torch.empty(0, dtype=torch.uint8, device="cpu")

    def _bytes(self, size: int) -> Tensor:
        """Return ``size`` bytes of the buffer, (size,) uint8, which grows as needed."""
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
        """Copy planes to the device.

        The arrays are not kept. On a CPU the result is the buffer itself, until the next upload or download.

        Args:
            planes: (H, W) each, all of one dtype; they may be read-only and have any strides.

        Returns:
            The samples on the device, (number of samples,), one plane after the other; see :func:`unpacked`.
        """
        memory = self._bytes(sum(plane.nbytes for plane in planes)).view(torch_dtype(planes[0].dtype))
        host, start = memory.numpy(), 0
        for plane in planes:
            np.copyto(host[start : start + plane.size].reshape(plane.shape), plane)
            start += plane.size
        return memory.to(self.device, non_blocking=self.pinned)

    def download(self, packed: Tensor, targets: Sequence[Plane]) -> None:
        """Copy samples from the device into planes, which are complete when this returns.

        Args:
            packed: samples of all planes on the device, see :func:`packed`.
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
        """Wait until the GPU has done the lane's work, in sleep: an encoder may need the CPU core."""
        if self.device.type == "cpu":
            return
        done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        done.record(torch.cuda.current_stream(self.device))
        done.synchronize()


def unpacked(packed: Tensor, shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Split samples into planes of code values.

    Args:
        packed: (number of samples,), see :meth:`HostBuffer.upload`.
        shapes: (H, W) of every plane.

    Returns:
        float32 (1, 1, H, W) of every plane.
    """
    parts = torch.split(packed, [height * width for height, width in shapes])
    return [part.view(1, 1, *shape).float() for part, shape in zip(parts, shapes, strict=True)]


def packed(samples: Iterable[Tensor]) -> Tensor:
    """Join planes into one tensor, one plane after the other.

    Args:
        samples: (1, 1, H, W) each, all of one dtype.

    Returns:
        (number of samples,).
    """
    return torch.cat([plane.reshape(-1) for plane in samples])


@functools.cache
def pinned_is_faster(device: torch.device) -> bool:
    """Measure whether frames go to a device and back faster through page-locked memory.

    The answer depends on card, driver and system. Each device is measured once, in a few hundredths of a
    second.

    Args:
        device: a CUDA device.
    """
    pinned, ordinary = HostBuffer(device, pinned=True), HostBuffer(device, pinned=False)
    seconds = _trial_seconds(pinned), _trial_seconds(ordinary)
    _log.debug(
        "a 1080p frame comes and goes in %.2f ms through page-locked memory, %.2f ms through ordinary memory",
        *(1e3 * part for part in seconds),
    )
    return pinned.pinned and seconds[0] < seconds[1]


def _trial_seconds(buffer: HostBuffer) -> float:
    """Return the seconds that a frame takes to the device and back, the least of several trials."""
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

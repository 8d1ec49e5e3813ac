"""Frames between the host and the device of an engine: one packed copy each way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vs_emtcm.planes import Plane, torch_dtype


class HostBuffer:
    """The host memory of one lane, through which its frames come and go.

    Args:
        device: of the engine.
        pinned: page-locked memory, which a GPU reads and writes by itself while the CPU goes on.
    """

    def __init__(self, device: torch.device, *, pinned: bool) -> None:
        self.device = device
        self.pinned = pinned
        self._memory = torch.empty(0, dtype=torch.uint8)

    def _bytes(self, size: int) -> Tensor:
        if self._memory.numel() < size:
            self._memory = torch.empty(size, dtype=torch.uint8, pin_memory=self.pinned)
        return self._memory[:size]

    def upload(self, planes: Sequence[Plane]) -> list[Tensor]:
        """Planes of one dtype as float32 tensors (1, 1, H, W) of code values on the device.

        They go there in their own dtype; the arrays are not kept.

        Args:
            planes: (H, W) each, read-only ones and any strides included.
        """
        memory = self._bytes(sum(plane.nbytes for plane in planes)).view(torch_dtype(planes[0].dtype))
        host, start = memory.numpy(), 0
        for plane in planes:
            np.copyto(host[start : start + plane.size].reshape(plane.shape), plane)
            start += plane.size
        packed = memory.to(self.device, non_blocking=self.pinned)
        parts = torch.split(packed, [plane.size for plane in planes])
        return [part.view(1, 1, *plane.shape).float() for part, plane in zip(parts, planes, strict=True)]

    def download(self, samples: Sequence[Tensor], targets: Sequence[Plane]) -> None:
        """Write samples of one dtype into planes; they are complete when this returns.

        Args:
            samples: (1, 1, H, W) each, on the device.
            targets: (H, W) each, of the same dtype.
        """
        packed = torch.cat([part.reshape(-1) for part in samples])
        if self.pinned:
            memory = self._bytes(packed.nbytes).view(packed.dtype)
            memory.copy_(packed, non_blocking=True)
            torch.cuda.current_stream(self.device).synchronize()
            packed = memory
        host, start = packed.cpu().numpy(), 0
        for target in targets:
            np.copyto(target, host[start : start + target.size].reshape(target.shape))
            start += target.size

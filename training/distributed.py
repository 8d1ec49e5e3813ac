"""Several processes: started by ``torchrun``, each with its part of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from vs_emtcm.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process of several.

    Attributes:
        rank: 0 is the one that writes files.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    def share(self, batch: int) -> slice:
        """The crops of a batch that are this process's.

        Raises:
            UsageError: the batch cannot be divided evenly.
        """
        if batch % self.size:
            raise UsageError(
                f"a batch of {batch} cannot be divided by {self.size} processes; start as many as divide it"
            )
        return slice(self.rank, None, self.size)

    def mean(self, values: Tensor) -> list[float]:
        """The mean of each of some values over all processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return (values / self.size).tolist()


@contextmanager
def join(device: torch.device) -> Iterator[Part]:
    """The part of this process, by the environment that ``torchrun`` makes; alone without it."""
    if "WORLD_SIZE" not in os.environ:
        yield Part()
        return
    # The others wait while the first one evaluates.
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        timeout=timedelta(hours=2),
        device_id=device if device.type == "cuda" else None,
    )
    try:
        yield Part(rank=dist.get_rank(), size=dist.get_world_size())
    finally:
        dist.destroy_process_group()


def training_device(name: str) -> torch.device:
    """The device called ``name``; of several GPUs, each process takes its own.

    Raises:
        UsageError: there is no such device.
    """
    if name == "cpu":
        return torch.device("cpu")
    if name != "cuda":
        raise UsageError(f"device is {name!r}; accepted are cpu and cuda")
    if not torch.cuda.is_available():
        raise UsageError("device is 'cuda', but no CUDA GPU is available; use cpu")
    index = int(os.environ.get("LOCAL_RANK", "0"))
    if index >= torch.cuda.device_count():
        raise UsageError(
            f"process {index + 1} of this machine has no GPU of its own; there are "
            f"{torch.cuda.device_count()}, start as many processes"
        )
    device = torch.device("cuda", index)
    torch.cuda.set_device(device)
    return device

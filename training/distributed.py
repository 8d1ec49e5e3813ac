"""Training by several processes that ``torchrun`` starts; each takes its share of every batch."""

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
        rank: number of the process; 0 is the one that writes files.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    def share(self, batch: int) -> slice:
        """Return which crops of a batch are this process's.

        Args:
            batch: number of crops, over all processes.

        Raises:
            UsageError: the batch cannot be divided evenly.
        """
        if batch % self.size:
            raise UsageError(
                f"a batch of {batch} cannot be divided by {self.size} processes; start as many as divide it"
            )
        return slice(self.rank, None, self.size)

    def mean(self, values: Tensor) -> list[float]:
        """Return the mean over all processes of each of (N,) values, which are overwritten."""
        if self.size > 1:
            dist.all_reduce(values)
        return (values / self.size).tolist()


def is_first_process() -> bool:
    """Return whether this process is alone, or the first of those that ``torchrun`` started."""
    return "WORLD_SIZE" not in os.environ or os.environ.get("RANK", "0") == "0"


def refuse_several_processes(command: str) -> None:
    """Refuse to run a command in the processes that ``torchrun`` starts.

    Raises:
        UsageError: there are several.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(f"{command} runs in one process; start it without torchrun")


@contextmanager
def join(device: torch.device) -> Iterator[Part]:
    """Join the other processes that ``torchrun`` started, and leave them at the end; alone without it.

    Args:
        device: of this process, see :func:`training_device`.

    Yields:
        The part of this process.
    """
    if "WORLD_SIZE" not in os.environ:
        yield Part()
        return
    # Long enough for an evaluation by the first process, for which the others wait.
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
    """Return the device called ``name``; of several GPUs, each process takes its own.

    Args:
        name: "cpu" or "cuda".

    Raises:
        UsageError: the name is another one, or there is no GPU for this process.
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

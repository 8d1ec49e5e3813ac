"""Refuse to work in a process that was forked from one in which PyTorch had started threads.

A forked process inherits the number of PyTorch's threads but not the threads, and PyTorch would wait for them
for ever.
"""

from __future__ import annotations

import os

import torch

from vs_emtcm.errors import EmtcmError

# The process that first worked with several threads of PyTorch's; forked processes inherit the number.
_first_at_work: int | None = None


def check_process() -> None:
    """Remember the first process that works; refuse to work in another that was forked from it.

    Raises:
        EmtcmError: this process is forked, and PyTorch would use threads that it does not have.
    """
    global _first_at_work
    if torch.get_num_threads() == 1:
        # A single thread is the caller's own.
        return
    if _first_at_work is None:
        _first_at_work = os.getpid()
    elif _first_at_work != os.getpid():
        raise EmtcmError("PyTorch has worked before fork(); start processes by spawn or forkserver")

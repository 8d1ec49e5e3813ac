"""Streams of a GPU, each of which belongs to one lane alone, and what lanes do one after the other."""

from __future__ import annotations

import threading
import weakref

import torch

from vs_emtcm.errors import EmtcmError

# PyTorch hands out so many of a GPU in turn, and then the first again.
STREAMS = 32
_taken: set[tuple[int, int]] = set()
_taking = threading.Lock()
# Held while a CUDA graph is recorded, and while anything is done for the first time, such as making cuDNN's
# handle: that may wait for the whole device, and would break the recording of another lane.
ALONE = threading.Lock()


def own_stream(device: torch.device, owner: object) -> torch.cuda.Stream:
    """A stream that no other lane of this process has: on one, they would end up in each other's graphs.

    Args:
        device: a CUDA device.
        owner: whoever has it, until it is gone.

    Raises:
        EmtcmError: all are in use.
    """
    with _taking:
        for _ in range(STREAMS):
            stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            key = stream.device_index, stream.cuda_stream
            if key not in _taken:
                _taken.add(key)
                # Its owner, for PyTorch's streams leave weak references behind that lead nowhere.
                weakref.finalize(owner, _taken.discard, key).atexit = False
                return stream
    raise EmtcmError(
        f"all {STREAMS} streams of device {str(device)!r} are taken by other lanes; use fewer of them"
    )

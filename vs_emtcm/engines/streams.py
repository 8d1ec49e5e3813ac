"""CUDA streams that belong to one lane alone, and a lock for what lanes must not do at the same time."""

from __future__ import annotations

import threading
import weakref

import torch

from vs_emtcm.errors import EmtcmError

# Streams in PyTorch's pool for a GPU; after the last it hands out the first again.
STREAMS = 32
# Held while a CUDA graph is recorded, and while anything is done for the first time, such as the creation of
# cuDNN's handle: that may wait for the whole device, which breaks the recording of another lane.
ALONE = threading.Lock()
# Streams in use: index of the device, and handle of the stream.
_taken: set[tuple[int, int]] = set()
_taken_lock = threading.Lock()


def own_stream(device: torch.device, owner: object) -> torch.cuda.Stream:
    """Return a stream that no other owner in this process has.

    On one stream, lanes would record each other's work in their CUDA graphs.

    Args:
        device: a CUDA device.
        owner: the stream is free again when this object is gone.

    Raises:
        EmtcmError: all are in use.
    """
    with _taken_lock:
        for _ in range(STREAMS):
            stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            key = stream.device_index, stream.cuda_stream
            if key not in _taken:
                _taken.add(key)
                # Bound to the owner: weak references to PyTorch's stream objects do not work.
                weakref.finalize(owner, _taken.discard, key).atexit = False
                return stream
    raise EmtcmError(
        f"all {STREAMS} streams of device {str(device)!r} are taken by other lanes; use fewer of them"
    )

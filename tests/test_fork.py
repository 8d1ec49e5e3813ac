"""A process that was forked while PyTorch had threads is refused, and no other."""

import subprocess
import sys

import pytest

# Upscales before a fork, or not; then in the forked process, by the Upscaler from before and by a new one.
FORK = """
import os, sys
import numpy as np
import torch
from vs_emtcm import EmtcmError, PixelFormat, Upscaler

def work(upscaler):
    upscaler.upscale([np.zeros((256, 256), np.uint8)], PixelFormat(family="gray"))

worked, threads = sys.argv[1] == "worked", int(sys.argv[2])
torch.set_num_threads(2)
before = Upscaler(2, device="cpu")
if worked:
    work(before)
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
torch.set_num_threads(threads)
for upscaler in (before, Upscaler(2, device="cpu")):
    try:
        work(upscaler)
        print("done", flush=True)
    except EmtcmError as error:
        print(error, flush=True)
# Libraries do not expect their ends in a forked process.
os._exit(0)
"""
REFUSED = "PyTorch has worked before fork(); start processes by spawn or forkserver"


@pytest.mark.parametrize(
    ("before", "threads", "said"),
    [
        ("worked", 2, REFUSED),
        ("idle", 2, "done"),
        # A single thread of PyTorch's is the caller's, and there is none to wait for.
        ("worked", 1, "done"),
    ],
)
def test_a_forked_process_is_refused_what_it_would_wait_for_for_ever(before, threads, said):
    command = [sys.executable, "-W", "ignore", "-c", FORK, before, str(threads)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout.splitlines() == [said] * 2

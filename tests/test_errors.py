"""Errors of libraries become clauses, and those that say that memory is short are told from others."""

import pytest
import torch

from vs_emtcm.errors import is_device_out_of_memory, is_host_out_of_memory, reason


@pytest.mark.parametrize(
    ("error", "clause"),
    [
        (RuntimeError("The engine failed.\nCompile with TORCH_USE_CUDA_DSA"), "the engine failed"),
        (RuntimeError("CUDA error: no device"), "CUDA error: no device"),
        (OSError(28, "No space left on device", "/a"), "no space left on device"),
        (ValueError(), "valueError"),
        (ValueError("  "), "valueError"),
    ],
)
def test_a_reason_is_the_first_line_as_a_clause(error, clause):
    assert reason(error) == clause


@pytest.mark.parametrize(
    ("error", "host", "device"),
    [
        (MemoryError(), True, False),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True, False),
        (torch.OutOfMemoryError("CUDA out of memory"), False, True),
        (torch.OutOfMemoryError("no words"), False, True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), False, True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED"), False, True),
        (RuntimeError("CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"), False, True),
        (RuntimeError("GET was unable to find an engine to execute this computation"), False, True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False, False),
    ],
)
def test_short_memory_is_told_from_other_errors(error, host, device):
    assert (is_host_out_of_memory(error), is_device_out_of_memory(error)) == (host, device)

"""Work is recorded, kept and given up as it should be, on a stand-in for CUDA."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch

from vs_emtcm import EmtcmError
from vs_emtcm.engines import streams
from vs_emtcm.recorder import Recorder


@pytest.fixture
def cuda(monkeypatch):
    """A stand-in for CUDA whose replay does recorded work again.

    ``ends`` holds the error that each recording ended with, or None.
    """

    class Graph:
        def pool(self):
            if cuda.capturing:
                raise RuntimeError("without a preceding successful capture")
            return "a pool"

        def replay(self):
            if self.x_and_work:
                self.x_and_work[1](self.x_and_work[0])

    @contextlib.contextmanager
    def graph(graph, pool, stream, capture_error_mode):
        assert (pool, stream, capture_error_mode) == ("a pool", "a stream", "thread_local")
        assert streams.ALONE.locked()
        graph.x_and_work = current
        cuda.recording = True
        yield
        cuda.recording = False
        cuda.ends.append(cuda.error)
        cuda.capturing = cuda.error is not None and "capturing" in str(cuda.error)
        cuda.pools += cuda.capturing
        if cuda.error is not None:
            raise cuda.error

    current = []
    cuda = SimpleNamespace(ends=[], error=None, current=current, capturing=False, recording=False, pools=0)

    def end(_, pool):
        assert pool == "a pool"
        cuda.capturing = False

    def release(_, pool):
        assert pool == "a pool"
        cuda.pools -= 1

    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", end, raising=False)
    monkeypatch.setattr(torch._C, "_cuda_releasePool", release, raising=False)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: "a stream")
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "a pool")
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    return cuda


class Work:
    """Doubles a tensor, always into the same memory once it is recorded, as a graph does."""

    def __init__(self, cuda):
        self.cuda = cuda
        self.asked = 0

    def __call__(self, x):
        self.asked += 1
        result = 2 * x

        def again(x):
            torch.mul(x, 2, out=result)

        self.cuda.current[:] = x, again
        return result


def numbers(seed, size=8):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed))


def test_work_of_a_kind_is_recorded_with_the_second_frame_and_replayed_for_each(cuda):
    record, work = Recorder(), Work(cuda)
    for seed in range(6):
        x = numbers(seed)
        assert torch.equal(record("a kind", x, work), 2 * x)
    assert (len(cuda.ends), work.asked) == (1, 3)


def test_another_kind_ends_a_recording(cuda):
    record, work = Recorder(), Work(cuda)
    for size in (8, 8, 9, 8, 9, 9, 9):
        x = numbers(size, size)
        assert torch.equal(record(size, x, work), 2 * x)
    assert (len(cuda.ends), work.asked) == (2, 8)


def test_what_was_given_back_is_recorded_anew(cuda):
    record, work = Recorder(), Work(cuda)
    for _ in range(2):
        for seed in range(3):
            record("a kind", numbers(seed), work)
        record.release()
    assert len(cuda.ends) == 2


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: operation not permitted when stream is capturing\nx"),
        torch.OutOfMemoryError("CUDA out of memory. Tried"),
        EmtcmError("backend 'tensorrt': the engine failed"),
    ],
)
def test_a_recording_that_cannot_be_made_is_given_up_after_some_tries(cuda, caplog, error):
    cuda.error = error
    record, work = Recorder(), Work(cuda)
    for number in range(7):
        x = numbers(number)
        assert torch.equal(record("a kind", x, work), 2 * x)
        assert not record.recorded
    assert len(cuda.ends) == 3
    (message,) = caplog.messages
    assert message.startswith(f"emtcm: no CUDA graph could be recorded ({str(error).splitlines()[0]}")
    assert message.endswith("); going on without, slower")
    assert not streams.ALONE.locked()
    assert not cuda.capturing
    assert cuda.pools == 0


def test_what_breaks_one_recording_does_not_end_those_after_it(cuda, caplog):
    cuda.error = RuntimeError("CUDA error: operation failed due to a previous error during capturing")
    record, work = Recorder(), Work(cuda)
    for number in range(3):
        record("a kind", numbers(number), work)
    cuda.error = None
    for number in range(3):
        x = numbers(number)
        assert torch.equal(record("a kind", x, work), 2 * x)
        assert record.recorded
    assert not caplog.messages


def test_what_a_thread_needs_is_there_before_it_records(cuda):
    """cuDNN and cuBLAS have handles for each thread, and none can be made in a recording."""
    record, handles = Recorder(), threading.local()

    def work(x):
        if not hasattr(handles, "made"):
            assert streams.ALONE.locked()
            assert not cuda.recording
            handles.made = True
        return 2 * x

    for _ in range(3):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(record, "a kind", numbers(0), work).result()
    assert cuda.ends == [None]


def test_work_that_finds_no_room_is_the_callers_to_solve(cuda):
    def too_large(_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        Recorder()("a kind", numbers(0), too_large)

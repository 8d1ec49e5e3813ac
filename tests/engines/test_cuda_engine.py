"""PyTorch on CUDA, as far as a machine without a GPU can tell: what is recorded, kept and given up."""

import contextlib

import pytest
import torch

from tests.conftest import codes
from vs_emtcm import models
from vs_emtcm.engines import cuda_engine
from vs_emtcm.engines.cuda_engine import CudaEngine
from vs_emtcm.engines.half import from_half, to_half
from vs_emtcm.engines.weights import load_network
from vs_emtcm.network import DetailNetwork

WEIGHTS = models.load(models.find("base", "clean").path, 2)


class Graph:
    """A CUDA graph of which one frame is known."""

    def replay(self) -> None:
        pass


@pytest.fixture
def recordings(monkeypatch):
    """Every recording of a stand-in for CUDA: the error that it ended with."""
    ends = []

    @contextlib.contextmanager
    def graph(_graph, stream, capture_error_mode):
        assert (stream, capture_error_mode) == ("a stream", "thread_local")
        yield
        ends.append(graph.error)
        if graph.error is not None:
            raise graph.error

    graph.error = None
    ends_of = type("Recordings", (), {"ends": ends, "graph": graph})
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(cuda_engine, "own_stream", lambda *_: "a stream")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "no card")
    return ends_of


def bordered(engine, height, width, seed=0):
    size = height + 2 * engine.radius, width + 2 * engine.radius
    return torch.from_numpy(codes(*size, seed=seed).astype("float32") / 255)[None, None]


def expected(x):
    network = DetailNetwork(load_network(WEIGHTS, 1)).to(torch.float16, memory_format=torch.channels_last)
    return from_half(x, network(to_half(x)), 2)


@torch.inference_mode()
def test_every_size_is_recorded_once_and_the_last_ones_are_kept(recordings):
    engine = CudaEngine(WEIGHTS, 1, torch.device("cpu"))
    for width in (16, 17, 16, 18, 19, 16, 20, 16):
        x = bordered(engine, 16, width)
        assert torch.equal(engine(x), expected(x))
    assert len(recordings.ends) == 5
    engine(bordered(engine, 16, 17))
    assert len(recordings.ends) == 6
    engine.release()
    engine(bordered(engine, 16, 16))
    assert len(recordings.ends) == 7


@torch.inference_mode()
def test_a_recording_that_another_program_breaks_is_not_tried_again(recordings, caplog):
    recordings.graph.error = RuntimeError("CUDA error: operation not permitted when stream is capturing\nx")
    engine = CudaEngine(WEIGHTS, 1, torch.device("cpu"))
    for seed in range(3):
        x = bordered(engine, 20, 30, seed)
        assert torch.equal(engine(x), expected(x))
    assert len(recordings.ends) == 1
    (message,) = caplog.messages
    assert message.startswith("emtcm: no CUDA graph could be recorded (CUDA error: operation not permitted")
    assert message.endswith("); going on without, slower")


@torch.inference_mode()
def test_a_recording_without_room_is_the_callers_to_solve(recordings):
    recordings.graph.error = RuntimeError("CUDA error: out of memory")
    engine = CudaEngine(WEIGHTS, 1, torch.device("cpu"))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of memory"):
            engine(bordered(engine, 20, 30))
    assert len(recordings.ends) == 2
    assert not cuda_engine._CAPTURING.locked()

"""PyTorch on CUDA, as far as a machine without a GPU can tell: the network in half precision."""

import pytest
import torch

from tests.material import codes
from vs_emtcm import models
from vs_emtcm.engines import cuda_engine
from vs_emtcm.engines.cuda_engine import CudaEngine
from vs_emtcm.engines.half import to_half
from vs_emtcm.engines.load import load_network
from vs_emtcm.network import DetailNetwork, assemble_at_once
from vs_emtcm.weights_file import load_weights

WEIGHTS = load_weights(models.find("base", "clean").path, 2)


@pytest.fixture
def engine(monkeypatch):
    streams = iter(("a stream", "another"))
    monkeypatch.setattr(cuda_engine, "own_stream", lambda *_: next(streams))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "no card")
    return CudaEngine(WEIGHTS, 1, torch.device("cpu"))


@torch.inference_mode()
def test_every_lane_gives_what_the_network_gives_in_half_precision(engine):
    network = DetailNetwork(load_network(WEIGHTS, 1)).to(torch.float16, memory_format=torch.channels_last)
    twin = engine.another()
    for width in (16, 17, 30):
        size = 16 + 2 * engine.radius, width + 2 * engine.radius
        x = torch.from_numpy(codes(*size).astype("float32") / 255)[None, None]
        expected = assemble_at_once(x, network(to_half(x)), 2)
        assert expected.shape == (1, 1, 32, 2 * width)
        for lane in (engine, twin):
            assert torch.equal(lane(x), expected)
    assert (engine.stream, twin.stream) == ("a stream", "another")

"""No two lanes share a stream of a GPU."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from vs_emtcm import EmtcmError
from vs_emtcm.engines.streams import STREAMS, own_stream

DEVICE = torch.device("cuda", 0)


class Stream:
    """Of a GPU whose streams come in turn, as PyTorch's do; like those, it bears no weak references."""

    __slots__ = ("cuda_stream", "device_index")
    counter = itertools.count()

    def __init__(self, device):
        self.device_index = device.index
        self.cuda_stream = 1000 + next(self.counter) % STREAMS


class Lane:
    """What has a stream of its own."""

    def __init__(self, device=DEVICE):
        self.stream = own_stream(device, self)


@pytest.fixture(autouse=True)
def streams(monkeypatch):
    monkeypatch.setattr(torch.cuda, "Stream", Stream)


def test_a_stream_in_use_is_not_given_away_again():
    kept = [Lane() for _ in range(5)]
    for _ in range(3 * STREAMS):
        assert Lane().stream.cuda_stream not in {lane.stream.cuda_stream for lane in kept}


def test_every_gpu_has_its_own():
    kept = [Lane(torch.device("cuda", index)) for index in (0, 1) for _ in range(STREAMS)]
    assert len({(lane.stream.device_index, lane.stream.cuda_stream) for lane in kept}) == 2 * STREAMS


def test_the_last_one_is_followed_by_a_sentence_until_a_lane_is_gone():
    kept = [Lane() for _ in range(STREAMS)]
    with pytest.raises(
        EmtcmError, match="all 32 streams of device 'cuda:0' are taken by other lanes; use fewer"
    ):
        Lane()
    free = kept.pop().stream.cuda_stream
    assert Lane().stream.cuda_stream == free


def test_threads_get_different_ones():
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: Lane(), range(STREAMS)))
    assert len({lane.stream.cuda_stream for lane in kept}) == STREAMS

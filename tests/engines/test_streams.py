"""No two lanes share a stream of a GPU."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from vs_emtcm import EmtcmError
from vs_emtcm.engines.streams import STREAMS, own_stream

DEVICE = torch.device("cuda", 0)


class Stream:
    """Of a GPU whose streams come in turn, as PyTorch's do."""

    counter = itertools.count()

    def __init__(self, device):
        self.device_index = device.index
        self.cuda_stream = 1000 + next(self.counter) % STREAMS


@pytest.fixture(autouse=True)
def streams(monkeypatch):
    monkeypatch.setattr(torch.cuda, "Stream", Stream)


def test_a_stream_in_use_is_not_given_away_again():
    kept = [own_stream(DEVICE) for _ in range(5)]
    for _ in range(3 * STREAMS):
        assert own_stream(DEVICE).cuda_stream not in {stream.cuda_stream for stream in kept}


def test_every_gpu_has_its_own():
    kept = [own_stream(torch.device("cuda", index)) for index in (0, 1) for _ in range(STREAMS)]
    assert len({(stream.device_index, stream.cuda_stream) for stream in kept}) == 2 * STREAMS


def test_the_last_one_is_followed_by_a_sentence_until_one_is_given_back():
    kept = [own_stream(DEVICE) for _ in range(STREAMS)]
    with pytest.raises(
        EmtcmError, match="all 32 streams of device 'cuda:0' are taken by other lanes; use fewer"
    ):
        own_stream(DEVICE)
    free = kept.pop().cuda_stream
    assert own_stream(DEVICE).cuda_stream == free


def test_threads_get_different_ones():
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: own_stream(DEVICE), range(STREAMS)))
    assert len({stream.cuda_stream for stream in kept}) == STREAMS

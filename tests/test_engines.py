"""The engine that is asked for is the engine that runs."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vs_emtcm import UsageError, models
from vs_emtcm.engines import availabilities, choose_device, create_engine
from vs_emtcm.network import Network, Shape

WEIGHTS = models.load(models.find("base", "clean").path, 2)


@pytest.mark.parametrize("stages", [1, 2])
def test_the_torch_engine_is_the_network(stages):
    engine = create_engine(WEIGHTS, stages=stages, backend="auto", device="cpu")
    shape = Shape(channels=WEIGHTS.channels, stage1=WEIGHTS.stage1, stage2=WEIGHTS.stage2)
    network = Network(2, shape)
    network.load_state_dict({k: torch.from_numpy(v) for k, v in WEIGHTS.tensors.items()})
    x = torch.rand(1, 1, 20, 30)
    padded = F.pad(x, (engine.radius,) * 4, mode="replicate")
    with torch.inference_mode():
        result = engine(padded)
        expected = network.estimates(padded)[stages - 1]
    assert result.shape == (1, 1, 40, 60)
    torch.testing.assert_close(result, expected)


def test_the_number_of_threads_changes_no_bit():
    engine = create_engine(WEIGHTS, stages=2, backend="torch", device="cpu")
    x = torch.rand(1, 1, 150, 200)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            with torch.inference_mode():
                results.append(engine(x).numpy())
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_auto_is_the_first_that_works():
    first = next(a for a in availabilities() if a.reason is None)
    assert choose_device("auto").type == first.device


def test_an_explicit_choice_never_falls_back(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match="device 'cuda' is not usable: PyTorch finds no NVIDIA GPU"):
        choose_device("cuda")
    assert [a.reason is None for a in availabilities()] == [False, False, True]


def test_devices_are_counted(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda", 0)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UsageError, match="'cuda:2' does not exist; there are 2"):
        choose_device("cuda:2")


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "", "cpu:0"])
def test_unknown_devices_are_refused(device):
    with pytest.raises(UsageError, match="accepted are auto, cpu, cuda and cuda:N"):
        choose_device(device)


def test_unknown_backends_are_refused():
    with pytest.raises(UsageError, match="backend is 'opencl'; accepted are auto, tensorrt, torch"):
        create_engine(WEIGHTS, stages=2, backend="opencl", device="cpu")

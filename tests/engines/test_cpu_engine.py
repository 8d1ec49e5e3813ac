"""PyTorch on a CPU runs the network as it is."""

import numpy as np
import pytest
import torch

from tests.material import texture
from vs_emtcm import models
from vs_emtcm.engines import create_engine
from vs_emtcm.mirror import mirrored
from vs_emtcm.network import Network
from vs_emtcm.weights_file import load_weights

WEIGHTS = load_weights(models.find("base", "clean").path, 2)


@pytest.mark.parametrize("stages", [1, 2])
def test_the_torch_engine_is_the_network(stages):
    engine = create_engine(WEIGHTS, stages=stages, backend="torch", device="cpu")
    network = Network(2, WEIGHTS.shape)
    network.load_state_dict({k: torch.from_numpy(v) for k, v in WEIGHTS.tensors.items()})
    x = torch.from_numpy(texture(20, 30)).float()[None, None]
    padded = mirrored(x, engine.radius)
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

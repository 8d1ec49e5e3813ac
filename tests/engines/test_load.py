"""The network that is loaded is the one whose weights were given."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vs_emtcm import UsageError, models
from vs_emtcm.engines.load import load_network
from vs_emtcm.network import Network
from vs_emtcm.weights_file import load_weights

WEIGHTS = load_weights(models.find("base", "clean").path, 2)


def without(name):
    return {key: value for key, value in WEIGHTS.tensors.items() if key != name}


@pytest.mark.parametrize("stages", [1, 2])
def test_the_network_has_the_weights(stages):
    network = load_network(WEIGHTS, stages)
    assert not network.training
    assert (network.scale, network.stages) == (2, stages)
    loaded = network.state_dict()
    assert loaded.keys() == Network(2, WEIGHTS.shape, stages).state_dict().keys()
    for name, tensor in loaded.items():
        assert (tensor.dtype, tensor.device) == (torch.float32, torch.device("cpu"))
        np.testing.assert_array_equal(tensor, WEIGHTS.tensors[name])


def test_the_defaults_of_pytorch_change_nothing():
    torch.set_default_dtype(torch.float16)
    try:
        with torch.device("meta"):
            loaded = load_network(WEIGHTS, 2).state_dict()
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(loaded, load_network(WEIGHTS, 2).state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (without("head.slope"), "head.slope is missing or misshapen"),
        (WEIGHTS.tensors | {"head.slope": np.zeros(3, np.float32)}, "head.slope is missing or misshapen"),
        (WEIGHTS.tensors | {"tail.slope": np.zeros(3, np.float32)}, "tail.slope is of another network"),
        (
            WEIGHTS.tensors | {"head.slope": WEIGHTS.tensors["head.slope"] * np.inf},
            "head.slope holds what is no number",
        ),
    ],
)
def test_damaged_weights_are_refused(tensors, message):
    with pytest.raises(UsageError, match=f"the weights of x2 are damaged: {message}"):
        load_network(replace(WEIGHTS, tensors=tensors), 1)


def test_what_the_second_stage_lacks_is_nothing_to_the_first():
    weights = replace(WEIGHTS, tensors=without("estimate2.weight"))
    assert load_network(weights, 1).stages == 1
    with pytest.raises(UsageError, match=r"estimate2.weight is missing"):
        load_network(weights, 2)

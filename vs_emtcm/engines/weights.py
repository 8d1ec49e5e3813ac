"""From a weights file to the network that engines run."""

from __future__ import annotations

import torch

from vs_emtcm.models import Weights
from vs_emtcm.network import Network


def load_network(weights: Weights, stages: int) -> Network:
    """The deployed network of one scale, float32, on the CPU, in evaluation mode.

    Args:
        weights: of one scale.
        stages: 1 or 2.
    """
    network = Network(weights.scale, weights.shape, stages)
    wanted = network.state_dict()
    tensors = {k: torch.from_numpy(v) for k, v in weights.tensors.items() if k in wanted}
    network.load_state_dict(tensors)
    return network.eval()

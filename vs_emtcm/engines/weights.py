"""From a weights file to the network that engines run."""

from __future__ import annotations

import torch

from vs_emtcm.errors import UsageError
from vs_emtcm.models import Weights
from vs_emtcm.network import Network


def load_network(weights: Weights, stages: int) -> Network:
    """The deployed network of one scale, float32, on the CPU, in evaluation mode.

    Args:
        weights: of one scale.
        stages: 1 or 2.

    Raises:
        UsageError: some are missing or of another size.
    """
    # Whatever another program has made the default.
    with torch.device("cpu"):
        network = Network(weights.scale, weights.shape, stages).float()
    wanted = network.state_dict()
    tensors = {k: torch.from_numpy(v) for k, v in weights.tensors.items() if k in wanted}
    for name, tensor in wanted.items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            raise UsageError(f"the weights of x{weights.scale} are damaged: {name} is missing or misshapen")
    network.load_state_dict(tensors)
    return network.eval()

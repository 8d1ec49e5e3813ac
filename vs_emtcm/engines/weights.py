"""From a weights file to the network that engines run."""

from __future__ import annotations

import numpy as np
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
        UsageError: some are missing, of another size, no numbers, or of no network of this shape.
    """
    # Whatever another program has made the default.
    with torch.device("cpu"):
        network = Network(weights.scale, weights.shape, stages).float()
    with torch.device("meta"):
        whole = Network(weights.scale, weights.shape, stages=2).state_dict()
    wanted = network.state_dict()
    for name, tensor in weights.tensors.items():
        if name not in whole or not np.isfinite(tensor).all():
            raise UsageError(
                f"the weights of x{weights.scale} are damaged: {name} "
                f"{'holds what is no number' if name in whole else 'is of another network'}"
            )
    tensors = {k: torch.from_numpy(v) for k, v in weights.tensors.items() if k in wanted}
    for name, tensor in wanted.items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            raise UsageError(f"the weights of x{weights.scale} are damaged: {name} is missing or misshapen")
    network.load_state_dict(tensors)
    return network.eval()

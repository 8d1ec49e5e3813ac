"""Loading the network that engines run from the weights of one scale."""

from __future__ import annotations

import numpy as np
import torch

from vs_emtcm.errors import UsageError
from vs_emtcm.network import Network
from vs_emtcm.weights_file import Weights


def load_network(weights: Weights, stages: int) -> Network:
    """Make the deployed network of one scale: float32, on the CPU, in evaluation mode.

    Args:
        weights: of one scale; they may hold more stages than are asked for.
        stages: 1 or 2.

    Raises:
        UsageError: a tensor is missing or misshapen, holds NaN or infinity, or belongs to no network of this
            shape.
    """
    # PyTorch's default device may be another: it belongs to the program that uses this.
    with torch.device("cpu"):
        network = Network(weights.scale, weights.shape, stages).float()
    with torch.device("meta"):
        known_names = Network(weights.scale, weights.shape, stages=2).state_dict().keys()
    for name, tensor in weights.tensors.items():
        if name not in known_names or not np.isfinite(tensor).all():
            raise UsageError(
                f"the weights of x{weights.scale} are damaged: {name} "
                f"{'holds what is no number' if name in known_names else 'is of another network'}"
            )
    wanted = network.state_dict()
    tensors = {name: torch.from_numpy(array) for name, array in weights.tensors.items() if name in wanted}
    for name, tensor in wanted.items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            raise UsageError(f"the weights of x{weights.scale} are damaged: {name} is missing or misshapen")
    network.load_state_dict(tensors)
    return network.eval()

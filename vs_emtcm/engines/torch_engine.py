"""PyTorch: float32 on the CPU, float16 on CUDA."""

from __future__ import annotations

import torch
from torch import Tensor

from vs_emtcm.models import Weights
from vs_emtcm.network import Network, Shape


class TorchEngine:
    """See :class:`vs_emtcm.engines.engine.Engine`.

    Args:
        weights: of one scale.
        stages: 1 or 2.
        device: "cpu" or a CUDA device.
    """

    def __init__(self, weights: Weights, stages: int, device: torch.device) -> None:
        shape = Shape(channels=weights.channels, stage1=weights.stage1, stage2=weights.stage2)
        network = Network(weights.scale, shape, stages)
        wanted = network.state_dict()
        tensors = {k: torch.from_numpy(v) for k, v in weights.tensors.items() if k in wanted}
        network.load_state_dict(tensors)
        self.device = device
        self.scale = weights.scale
        self.radius = network.radius
        self.dtype = torch.float16 if device.type == "cuda" else torch.float32
        self.description = f"torch {torch.__version__} on {device}, {str(self.dtype)[6:]}"
        self._network = network.to(device, self.dtype).eval()
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, x: Tensor) -> Tensor:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        x = x.to(self.dtype).contiguous(memory_format=torch.channels_last)
        return self._network.estimates(x)[-1].float()

"""PyTorch on the CPU, float32."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from vs_emtcm.engines.load import load_network
from vs_emtcm.network import assemble_at_once
from vs_emtcm.weights_file import Weights

# Pixels of a tile: as many as have their features in the cache of a processor.
TILE_PIXELS = 128 << 10


class CpuEngine:
    """Runs the network in float32 with PyTorch; see :class:`vs_emtcm.engines.engine.Engine`.

    Args:
        weights: of one scale.
        stages: 1 or 2.

    Raises:
        UsageError: the weights are damaged.
    """

    def __init__(self, weights: Weights, stages: int) -> None:
        network = load_network(weights, stages)
        self.device = torch.device("cpu")
        self.stream: torch.cuda.Stream | None = None
        self.largest: tuple[int, int] | None = None
        self.tile_pixels: int | None = TILE_PIXELS
        self.radius = network.radius
        self.description = f"torch {torch.__version__} on cpu, float32"
        self.scale = weights.scale
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, x: Tensor) -> Tensor:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        detail: Tensor = self._network.details(x.contiguous(memory_format=torch.channels_last))[-1]
        return assemble_at_once(x, detail, self.scale)

    def another(self) -> Self:
        """See :class:`vs_emtcm.engines.engine.Engine`; threads may share this engine."""
        return self

    def release(self) -> None:
        """See :class:`vs_emtcm.engines.engine.Engine`; nothing is kept."""

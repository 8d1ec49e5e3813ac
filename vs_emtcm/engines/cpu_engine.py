"""PyTorch on the CPU, float32."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from vs_emtcm.engines.weights import load_network
from vs_emtcm.models import Weights
from vs_emtcm.network import assemble_at_once

# The features of so many stay in the cache of a processor.
TILE_PIXELS = 128 << 10


class CpuEngine:
    """See :class:`vs_emtcm.engines.engine.Engine`.

    Args:
        weights: of one scale.
        stages: 1 or 2.
    """

    def __init__(self, weights: Weights, stages: int) -> None:
        network = load_network(weights, stages)
        self.device = torch.device("cpu")
        self.stream: torch.cuda.Stream | None = None
        self.largest: tuple[int, int] | None = None
        self.tile_pixels: int | None = TILE_PIXELS
        self.scale = weights.scale
        self.radius = network.radius
        self.description = f"torch {torch.__version__} on cpu, float32"
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, x: Tensor) -> Tensor:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        detail: Tensor = self._network.details(x.contiguous(memory_format=torch.channels_last))[-1]
        return assemble_at_once(x, detail, self.scale)

    def another(self) -> Self:
        """See :class:`vs_emtcm.engines.engine.Engine`; nothing here belongs to a thread."""
        return self

    def release(self) -> None:
        """See :class:`vs_emtcm.engines.engine.Engine`; nothing is kept."""

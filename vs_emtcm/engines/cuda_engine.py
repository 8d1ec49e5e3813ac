"""PyTorch on CUDA: float16, channels last, one stream per engine."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import torch
from torch import Tensor

from vs_emtcm.engines.half import to_half
from vs_emtcm.engines.load import load_network
from vs_emtcm.engines.streams import ALONE, own_stream
from vs_emtcm.errors import EmtcmError, reason
from vs_emtcm.network import DetailNetwork, assemble_at_once
from vs_emtcm.weights_file import Weights

# Pixels of a tile, a little more than a 1080p frame: the memory of features grows with it, in each lane.
TILE_PIXELS = 1 << 21


@contextmanager
def _cuda_errors() -> Iterator[None]:
    """Turn what PyTorch raises inside into an EmtcmError of one sentence."""
    try:
        yield
    except RuntimeError as error:
        raise EmtcmError(
            f"backend 'torch': the GPU cannot be used ({reason(error)}); or use device 'cpu'"
        ) from error


class CudaEngine:
    """Runs the network in float16 with PyTorch; see :class:`vs_emtcm.engines.engine.Engine`.

    Args:
        weights: of one scale.
        stages: 1 or 2.
        device: a CUDA device.

    Raises:
        UsageError: the weights are damaged.
        EmtcmError: PyTorch has no kernels for the device, or it has no memory left.
    """

    def __init__(self, weights: Weights, stages: int, device: torch.device) -> None:
        network = load_network(weights, stages)
        self.device = device
        self.largest: tuple[int, int] | None = None
        self.tile_pixels: int | None = TILE_PIXELS
        self.radius = network.radius
        self.scale = weights.scale
        with _cuda_errors():
            self.description = f"torch {torch.__version__} on {torch.cuda.get_device_name(device)}, float16"
            self._network = DetailNetwork(network).to(
                device, torch.float16, memory_format=torch.channels_last
            )  # type: ignore[call-overload]
            # Run the network now, while another backend can still be chosen if that fails.
            side = 2 * self.radius + 1
            with ALONE, torch.inference_mode():
                self._network(torch.zeros(1, 1, side, side, dtype=torch.float16, device=device)).cpu()
        self._init_thread_state()

    def _init_thread_state(self) -> None:
        """Make what no two threads share: a stream."""
        with _cuda_errors():
            self.stream: torch.cuda.Stream | None = own_stream(self.device, self)

    def __call__(self, x: Tensor) -> Tensor:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        return assemble_at_once(x, self._network(to_half(x)), self.scale)

    def another(self) -> Self:
        """See :class:`vs_emtcm.engines.engine.Engine`."""
        twin = copy.copy(self)
        twin._init_thread_state()
        return twin

    def release(self) -> None:
        """See :class:`vs_emtcm.engines.engine.Engine`; nothing is kept."""

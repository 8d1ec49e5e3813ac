"""One training step: crops, loss, gradients, optimizers and averages. On a GPU it is one CUDA graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from training.crops import CropSource
from training.optimizers import Optimizers

# Steps before the capture: they choose algorithms, allocate memory and begin optimizers.
UNCAPTURED = 4
MAXIMUM_NORM = 1.0


class Step:
    """The steps of a phase.

    Args:
        objective: of one batch of each scale; see :class:`training.objective.Objective`.
        sources: of crops, by scale.
        trained: parameters by name.
        average: of their values, by the same names and more.
        optimizers: of ``trained``.
        batch: crops of each scale in a step.
        share: those of this process.
        captured: replay a CUDA graph; all of the above is on one GPU, and this the only process.
    """

    def __init__(
        self,
        objective: nn.Module,
        sources: Mapping[int, CropSource],
        trained: Mapping[str, nn.Parameter],
        average: Mapping[str, Tensor],
        optimizers: Optimizers,
        *,
        batch: int,
        share: slice,
        captured: bool,
    ) -> None:
        self.objective = objective
        self.sources = sources
        self.trained = trained
        self.average = average
        self.optimizers = optimizers
        self.batch = batch
        self.share = share
        device = next(iter(trained.values())).device
        # Filled anew for every step: a graph reads the same memory each time.
        rng = np.random.default_rng(0)
        self._choices = {s: source.choose(rng, batch).to(device) for s, source in sources.items()}
        self._decay = torch.zeros((), device=device)
        self._losses = torch.zeros(2, device=device)
        self._steps = 0
        self._stream = torch.cuda.Stream(device) if captured else None  # type: ignore[no-untyped-call]
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(device))
        self._graph: torch.cuda.CUDAGraph | None = None
        self._uncaptured = UNCAPTURED

    def __call__(self, seed: tuple[int, ...], learning_rate: float, decay: float) -> None:
        """One step.

        Args:
            seed: of the crops.
            learning_rate: of kernels.
            decay: what the averages keep.
        """
        with (
            torch.cuda.stream(self._stream),
            # Ten bits of a pixel (TF32) are too few for a network that works on differences.
            torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False),
        ):
            self._choose(seed)
            self._decay.fill_(decay)
            self.optimizers.prepare(learning_rate)
            if self._stream is None or self._uncaptured:
                self._uncaptured -= 1
                self._work()
            else:
                self._replay(self._stream)
            self.optimizers.finish()
        self._steps += 1

    def losses_ahead(self, seed: tuple[int, ...]) -> tuple[float, float]:
        """The losses of the weights as they are now, of this process's crops; nothing follows from them.

        Args:
            seed: of the crops.

        Returns:
            The loss and the pixel task's, as for :meth:`mean_losses`.
        """
        # The other processes do not take part.
        objective = self.objective
        if isinstance(objective, DistributedDataParallel):
            objective = objective.module
        with (
            torch.cuda.stream(self._stream),
            torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False),
        ):
            self._choose(seed)
            # With gradients, though nobody wants them: what is compiled is compiled with them.
            loss, pixels = objective(self._batches()).tolist()
        return loss, pixels

    def mean_losses(self) -> Tensor:
        """The mean losses of the steps since the last call, on the device; waits for all of them.

        Returns:
            (2,): the loss and the pixel task's; see :class:`training.objective.Objective`.
        """
        if self._stream is not None:
            self._stream.synchronize()
        mean = self._losses / self._steps
        self._losses.zero_()
        self._steps = 0
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self._losses.device))
        return mean

    def _replay(self, stream: torch.cuda.Stream) -> None:
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                self._work()
            self._graph = graph
        self._graph.replay()

    def _choose(self, seed: tuple[int, ...]) -> None:
        for scale, source in self.sources.items():
            self._choices[scale].copy_(source.choose(np.random.default_rng((*seed, scale)), self.batch))

    def _batches(self) -> dict[int, tuple[Tensor, Tensor]]:
        batches = {}
        for scale, source in self.sources.items():
            low, high = source.cut(self._choices[scale])
            batches[scale] = low[self.share], high[self.share]
        return batches

    def _work(self) -> None:
        batches = self._batches()
        for parameter in self.trained.values():
            parameter.grad = None
        losses = self.objective(batches)
        losses[0].backward()
        self._losses += losses.detach()
        torch.nn.utils.clip_grad_norm_(self.trained.values(), MAXIMUM_NORM)
        self.optimizers.follow()
        with torch.no_grad():
            for name, parameter in self.trained.items():
                self.average[name].lerp_(parameter, 1 - self._decay)

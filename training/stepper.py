"""Training steps: crops, loss, gradients, optimizers and averages. On a GPU a step is one CUDA graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from training.crops import CropSource
from training.optimizers import Optimizers

# Steps before a CUDA graph is captured: they choose algorithms, allocate memory and begin optimizers.
UNCAPTURED = 4
# Longer gradients, all parameters together, are shortened to this length.
MAXIMUM_NORM = 1.0


class Stepper:
    """Takes the steps of a phase.

    Args:
        objective: the loss of one batch of each scale; see :class:`training.objective.Objective`.
        sources: the crops of each scale.
        trained: the parameters that are trained, by name.
        average: their running averages, by the same names; other names are left alone. Changed in place.
        optimizers: of ``trained``.
        batch: number of crops of each scale in a step, over all processes.
        share: the crops of a batch that are this process's.
        captured: replay a CUDA graph; everything must be on one GPU, and this be the only process.
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
        # A CUDA graph reads the same memory each time, which every step fills anew.
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
        """Take one step.

        Args:
            seed: of the crops.
            learning_rate: of kernels.
            decay: share of their old values that the averages keep, 0..1.
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
        """Return the losses of the present weights on this process's crops of a step, without taking it.

        Args:
            seed: of the crops.

        Returns:
            The loss and that of the pixel task, see :class:`training.objective.Objective`.
        """
        # One process alone calls this: the module that waits for the others is taken off.
        objective = self.objective
        if isinstance(objective, DistributedDataParallel):
            objective = objective.module
        with (
            torch.cuda.stream(self._stream),
            torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False),
        ):
            self._choose(seed)
            # Without torch.no_grad(), though gradients are not needed: it would be compiled once more.
            loss, pixels = objective(self._batches()).tolist()
        return loss, pixels

    def mean_losses(self) -> Tensor:
        """Return the mean losses of the steps since the last call; waits until these are done.

        Returns:
            (2,) on the device: the loss and that of the pixel task; see
            :class:`training.objective.Objective`.
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
        """Do the work of a step by a CUDA graph, captured the first time."""
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                self._work()
            self._graph = graph
        self._graph.replay()

    def _choose(self, seed: tuple[int, ...]) -> None:
        """Draw the crops of a step."""
        for scale, source in self.sources.items():
            self._choices[scale].copy_(source.choose(np.random.default_rng((*seed, scale)), self.batch))

    def _batches(self) -> dict[int, tuple[Tensor, Tensor]]:
        """Cut this process's share of the crops that were drawn."""
        batches = {}
        for scale, source in self.sources.items():
            low, high = source.cut(self._choices[scale])
            batches[scale] = low[self.share], high[self.share]
        return batches

    def _work(self) -> None:
        """Do what happens on the device in a step: what a CUDA graph holds."""
        batches = self._batches()
        for parameter in self.trained.values():
            parameter.grad = None
        losses = self.objective(batches)
        losses[0].backward()
        self._losses += losses.detach()
        torch.nn.utils.clip_grad_norm_(self.trained.values(), MAXIMUM_NORM)
        self.optimizers.update()
        with torch.no_grad():
            for name, parameter in self.trained.items():
                self.average[name].lerp_(parameter, 1 - self._decay)

"""The optimizers of a phase: SOAP or Adam for kernels, Adam for slopes and biases.

A step is three calls: :meth:`Optimizers.prepare`, :meth:`Optimizers.update` and :meth:`Optimizers.finish`.
The second works on the device alone, so that a CUDA graph can hold it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.config import Optimizer
from training.soap import EVERY, Soap

# What PyTorch's Adam keeps for each parameter.
ADAM_STATE = ("step", "exp_avg", "exp_avg_sq")


class Optimizers:
    """The optimizers of all parameters that are trained.

    Args:
        settings: of the recipe.
        named: parameters by name, all on one device; matrices are kernels, vectors are slopes and biases.

    Attributes:
        done: number of steps taken.
        rate, vector_rate: learning rates of kernels and of vectors; scalars on the device, as a CUDA graph
            reads the same memory each time.
        soap: of the kernels, or None.
        adams: Adam optimizers, each with its parameters' names and its learning rate.
    """

    def __init__(self, settings: Optimizer, named: Mapping[str, nn.Parameter]) -> None:
        self.settings = settings
        self.done = 0
        kernels = {n: p for n, p in named.items() if p.ndim == 2}
        vectors = {n: p for n, p in named.items() if p.ndim == 1}
        device = next(iter(named.values())).device
        self.rate, self.vector_rate = torch.zeros((), device=device), torch.zeros((), device=device)
        on_gpu = device.type == "cuda"
        self.soap: Soap | None = None
        self.adams: list[tuple[torch.optim.Optimizer, list[str], Tensor]] = []
        if settings.name == "soap":
            self.soap = Soap(kernels, settings.weight_decay)
        else:
            adam = torch.optim.AdamW(
                kernels.values(),
                lr=self.rate,
                weight_decay=settings.weight_decay,
                fused=True,
                capturable=on_gpu,
            )
            self.adams.append((adam, list(kernels), self.rate))
        on_vectors = torch.optim.Adam(vectors.values(), lr=self.vector_rate, fused=True, capturable=on_gpu)
        self.adams.append((on_vectors, list(vectors), self.vector_rate))

    def prepare(self, learning_rate: float) -> None:
        """Set the learning rate of the next step."""
        self.rate.fill_(learning_rate)
        self.vector_rate.fill_(learning_rate * self.settings.vector_rate)

    def update(self) -> None:
        """Update the parameters by their gradients; by the first ones SOAP only begins its statistics."""
        if self.soap is not None and self.done == 0:
            self.soap.begin()
        elif self.soap is not None:
            self.soap.step(self.rate)
        for adam, _, _ in self.adams:
            adam.step()

    def finish(self) -> None:
        """End a step: renew SOAP's bases when it is time."""
        if self.soap is not None and self.done and self.done % EVERY == 0:
            self.soap.renew()
        self.done += 1

    def step(self, learning_rate: float) -> None:
        """Take a whole step."""
        self.prepare(learning_rate)
        self.update()
        self.finish()

    def _soap_tensors(self) -> dict[str, Tensor]:
        return {} if self.soap is None else {f"soap/{k}": v for k, v in self.soap.tensors().items()}

    def state(self) -> dict[str, Tensor]:
        """Return everything that a resumed run needs, as named tensors."""
        tensors = self._soap_tensors()
        for adam, names, _ in self.adams:
            for index, entries in adam.state_dict()["state"].items():
                tensors |= {f"adam/{names[index]}/{key}": value for key, value in entries.items()}
        return {**tensors, "done": torch.tensor(self.done)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a state.

        Args:
            tensors: of :meth:`state`.

        Raises:
            ValueError: they are the state of another optimizer or of other parameters.
        """
        done = int(tensors.get("done", 0))
        own = self._soap_tensors()
        # Adam has no state before its first step.
        named = [n for _, names, _ in self.adams for n in names] if done else []
        if {*own, *(f"adam/{n}/{key}" for n in named for key in ADAM_STATE), "done"} != {*tensors}:
            raise ValueError(f"this is not a state of {self.settings.name} for these parameters")
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
        self.done = done
        if not done:
            return
        for adam, names, rate in self.adams:
            entries = {i: {k: tensors[f"adam/{n}/{k}"] for k in ADAM_STATE} for i, n in enumerate(names)}
            adam.load_state_dict({"state": entries, "param_groups": adam.state_dict()["param_groups"]})
            for group in adam.param_groups:
                group["lr"] = rate

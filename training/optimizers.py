"""The optimizers: one for kernels, Adam for slopes and biases, and their state as named tensors.

A step is three calls: :meth:`Optimizers.prepare`, :meth:`Optimizers.follow` and :meth:`Optimizers.finish`.
The one in the middle touches the device alone, so that a CUDA graph can hold it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.config import Optimizer
from training.soap import EVERY, Soap

ADAM_STATE = ("step", "exp_avg", "exp_avg_sq")


class Optimizers:
    """Steps every parameter that takes gradients.

    Args:
        settings: which optimizer, the rate of vectors, the decay of kernels.
        named: parameters by name, all on one device; matrices are kernels, vectors are slopes and biases.
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

    def follow(self) -> None:
        """Follow the gradients; SOAP only looks at its first."""
        if self.soap is not None and self.done == 0:
            self.soap.begin()
        elif self.soap is not None:
            self.soap.step(self.rate)
        for adam, _, _ in self.adams:
            adam.step()

    def finish(self) -> None:
        """What is done between steps."""
        if self.soap is not None and self.done and self.done % EVERY == 0:
            self.soap.renew()
        self.done += 1

    def step(self, learning_rate: float) -> None:
        """A whole step."""
        self.prepare(learning_rate)
        self.follow()
        self.finish()

    def _soap_tensors(self) -> dict[str, Tensor]:
        return {} if self.soap is None else {f"soap/{k}": v for k, v in self.soap.tensors().items()}

    def state(self) -> dict[str, Tensor]:
        """Everything a resumed run needs."""
        tensors = self._soap_tensors()
        for adam, names, _ in self.adams:
            for index, entries in adam.state_dict()["state"].items():
                tensors |= {f"adam/{names[index]}/{key}": value for key, value in entries.items()}
        return {**tensors, "done": torch.tensor(self.done)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state` gave.

        Raises:
            ValueError: that was the state of another optimizer.
        """
        done = int(tensors.get("done", 0))
        own = self._soap_tensors()
        # Adam's state begins with its first step.
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

"""The optimizers: one for kernels, Adam for slopes and biases, and their state as named tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import torch
from pytorch_optimizer import SOAP
from torch import Tensor, nn

from training.config import Optimizer


class Optimizers:
    """Steps every parameter that takes gradients.

    Args:
        settings: which optimizer, the rate of vectors, the decay of kernels.
        named: parameters by name; matrices are kernels, vectors are slopes and biases.
    """

    def __init__(self, settings: Optimizer, named: Mapping[str, nn.Parameter]) -> None:
        self.name = settings.name
        kernels = {n: p for n, p in named.items() if p.ndim == 2}
        vectors = {n: p for n, p in named.items() if p.ndim == 1}
        on_kernels: torch.optim.Optimizer
        if settings.name == "soap":
            on_kernels = SOAP(
                list(kernels.values()),
                betas=(0.95, 0.95),
                weight_decay=settings.weight_decay,
                precondition_frequency=10,
            )
        else:
            on_kernels = torch.optim.AdamW(kernels.values(), weight_decay=settings.weight_decay, fused=True)
        on_vectors = torch.optim.Adam(vectors.values(), fused=True)
        self.parts: Sequence[tuple[torch.optim.Optimizer, list[str], float]] = (
            (on_kernels, list(kernels), 1.0),
            (on_vectors, list(vectors), settings.vector_rate),
        )

    def step(self, learning_rate: float) -> None:
        """Follow the gradients."""
        for optimizer, _, relative in self.parts:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * relative
            optimizer.step()
        # The rounding of a product depends on the layout of its matrices, and a file keeps none.
        for state in self.parts[0][0].state.values():
            if "Q" in state:
                state["Q"] = [matrix.contiguous() for matrix in state["Q"]]

    def state(self) -> tuple[dict[str, Tensor], str]:
        """Everything a resumed run needs: tensors by name, and the rest as JSON."""
        tensors: dict[str, Tensor] = {}
        rest: list[dict[str, object]] = []
        for part, (optimizer, names, _) in enumerate(self.parts):
            state = optimizer.state_dict()
            numbers: dict[str, dict[str, float]] = {}
            for index, entries in state["state"].items():
                for key, value in entries.items():
                    where = f"{part}/{names[index]}/{key}"
                    if isinstance(value, Tensor):
                        tensors[where] = value
                    elif isinstance(value, list):
                        tensors |= {f"{where}/{i}": matrix for i, matrix in enumerate(value)}
                    else:
                        numbers.setdefault(names[index], {})[key] = value
            steps = [group.get("step", 0) for group in state["param_groups"]]
            rest.append({"numbers": numbers, "steps": steps})
        return tensors, json.dumps({"name": self.name, "parts": rest})

    def restore(self, tensors: Mapping[str, Tensor], rest: str) -> None:
        """Go on from what :meth:`state` gave.

        Raises:
            ValueError: that was the state of another optimizer.
        """
        saved = json.loads(rest)
        if saved["name"] != self.name:
            raise ValueError(f"a state of {saved['name']} is not one of {self.name}")
        for part, ((optimizer, names, _), others) in enumerate(zip(self.parts, saved["parts"], strict=True)):
            entries: dict[int, dict[str, object]] = {}
            for index, name in enumerate(names):
                prefix = f"{part}/{name}/"
                found = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
                entry: dict[str, object] = {k: v for k, v in found.items() if "/" not in k}
                for key in sorted({k.partition("/")[0] for k in found if "/" in k}):
                    matrices = [k for k in found if k.startswith(f"{key}/")]
                    entry[key] = [found[f"{key}/{i}"] for i in range(len(matrices))]
                entries[index] = {**entry, **others["numbers"].get(name, {})}
            groups = optimizer.state_dict()["param_groups"]
            for group, step in zip(groups, others["steps"], strict=True):
                if step:
                    group["step"] = step
            optimizer.load_state_dict({"state": entries, "param_groups": groups})

"""Checkpoints: everything that a run needs to go on to the bit, in one safetensors file.

Tensors are named ``network/...`` (the weights in training), ``average/...`` (their averages) and
``optimizer/...``; everything else is metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from torch import Tensor

from training.config import Recipe
from training.errors import TrainingError
from training.files import read_tensors, write_tensors

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state of a run.

    Attributes:
        step: number of steps done, in all phases.
        phase: index of the present phase.
        recipe: of the run.
        held: scales that have weights.
        loss_sum, loss_steps: sum and number of the losses that are not in the log yet.
        cache: fingerprint of the training pairs; empty if unknown.
        network, average: state dicts of the trained form: its weights, and their averages.
        optimizer: see :meth:`training.optimizers.Optimizers.state`.
        start: fingerprint of the weights that the run began from; empty if it began from none, None if an
            earlier version began it.
    """

    step: int
    phase: int
    recipe: Recipe
    held: frozenset[int]
    loss_sum: float
    loss_steps: int
    cache: str
    network: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    start: str | None = None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        TrainingError: it cannot be read, or another version wrote it.
    """
    tensors, metadata = read_tensors(path)
    try:
        loss_sum, loss_steps = json.loads(metadata["loss"])
        return Checkpoint(
            step=int(metadata["step"]),
            phase=int(metadata["phase"]),
            recipe=msgspec.json.decode(metadata["recipe"], type=Recipe),
            held=read_held(path, metadata),
            loss_sum=loss_sum,
            loss_steps=loss_steps,
            cache=metadata["cache"],
            network=with_prefix(tensors, "network/"),
            average=with_prefix(tensors, "average/"),
            optimizer=with_prefix(tensors, "optimizer/"),
            start=metadata.get("start"),
        )
    except (KeyError, ValueError) as error:
        raise TrainingError(f"{path} is a checkpoint of another version; start in a new folder") from error


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; a kill at any moment leaves the old one or the new one.

    Raises:
        TrainingError: it cannot be written.
    """
    tensors = {f"network/{k}": v for k, v in checkpoint.network.items()}
    tensors |= {f"average/{k}": v for k, v in checkpoint.average.items()}
    tensors |= {f"optimizer/{k}": v for k, v in checkpoint.optimizer.items()}
    metadata = {
        "step": str(checkpoint.step),
        "phase": str(checkpoint.phase),
        "recipe": msgspec.json.encode(checkpoint.recipe).decode(),
        "held": json.dumps(sorted(checkpoint.held)),
        "loss": json.dumps((checkpoint.loss_sum, checkpoint.loss_steps), allow_nan=False),
        "cache": checkpoint.cache,
    }
    if checkpoint.start is not None:
        metadata["start"] = checkpoint.start
    write_tensors(path, {k: v.contiguous() for k, v in tensors.items()}, metadata)


def read_held(path: Path, metadata: Mapping[str, str]) -> frozenset[int]:
    """Return the scales that have weights, out of the metadata of the checkpoint at ``path``.

    Raises:
        TrainingError: another version wrote it.
    """
    try:
        return frozenset(json.loads(metadata["held"]))
    except (KeyError, ValueError, TypeError) as error:
        raise TrainingError(f"{path} is a checkpoint of another version; start in a new folder") from error


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, by the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

"""The training loop: all scales in every step, both stages supervised, exact resume."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from training.cache import Pair
from training.config import Recipe
from training.crops import CropSource
from training.losses import charbonnier, multi_task_loss
from training.metrics import psnr
from training.wide import WideNetwork
from vs_emtcm.network import Network, crop

CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "weights.safetensors"


class TrainingError(Exception):
    """Training cannot start or go on; the message says why."""


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine to zero."""
    schedule = recipe.schedule
    if step < schedule.warmup:
        return schedule.learning_rate * (step + 1) / schedule.warmup
    progress = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    return schedule.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def scale_loss(network: WideNetwork, recipe: Recipe, scale: int, low: Tensor, high: Tensor) -> Tensor:
    """The loss of one scale's batch, relative to what cubic interpolation would score.

    The division gives every scale the same say in the shared kernels.
    """
    first, second = network(low, scale)
    losses = []
    for estimate in (first, second):
        truth = crop(high, (high.shape[-1] - estimate.shape[-1]) // 2)
        losses.append(multi_task_loss(estimate, truth, recipe.loss.tasks, recipe.loss.sample))
    with torch.no_grad():
        blurred = F.interpolate(low, scale_factor=scale, mode="bicubic", align_corners=False)
        unit = charbonnier(blurred, high) + 1 / 255
    return (recipe.loss.stage1 * losses[0] + losses[1]) / unit


class Run:
    """A training run in a folder: its network, averaged weights, optimizer and step.

    Args:
        recipe: what to train.
        folder: where checkpoints and logs go.
        start: a finished run's checkpoint whose averaged weights to start from.
    """

    def __init__(self, recipe: Recipe, folder: Path, start: Path | None = None) -> None:
        self.recipe = recipe
        self.folder = folder
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.schedule.seed)
        model = recipe.model
        self.network = WideNetwork(model.scales, model.shape, model.width)
        self.average = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-4, fused=True)
        if (folder / CHECKPOINT).exists():
            self._load(folder / CHECKPOINT)
        elif start is not None:
            self._start_from(start)

    def _open(self, path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                return tensors, file.metadata() or {}
        except (OSError, SafetensorError) as error:
            raise TrainingError(f"{path} is not a checkpoint: {error}") from error

    def _take(self, path: Path, tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
        taken = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        wanted = {k: v.shape for k, v in self.network.state_dict().items()}
        if {k: v.shape for k, v in taken.items()} != wanted:
            raise TrainingError(f"{path} is a checkpoint of another network; start in a new folder")
        return taken

    def _start_from(self, path: Path) -> None:
        tensors, _ = self._open(path)
        self.average = self._take(path, tensors, "average/")
        self.network.load_state_dict(self.average)

    def _load(self, path: Path) -> None:
        tensors, metadata = self._open(path)
        self.network.load_state_dict(self._take(path, tensors, "network/"))
        self.average = self._take(path, tensors, "average/")
        self.step = int(metadata["step"])
        names = [name for name, _ in self.network.named_parameters()]
        state = {
            i: {k: tensors[f"optimizer/{name}/{k}"] for k in ("step", "exp_avg", "exp_avg_sq")}
            for i, name in enumerate(names)
        }
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})

    def save(self) -> None:
        """Write the checkpoint; a kill at any moment leaves the old one or the new one."""
        tensors = {f"network/{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average/{k}": v for k, v in self.average.items()}
        names = [name for name, _ in self.network.named_parameters()]
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{names[i]}/{k}": v for k, v in state.items()}
        temporary = self.folder / f"{CHECKPOINT}.partial"
        save_file({k: v.contiguous() for k, v in tensors.items()}, temporary, {"step": str(self.step)})
        temporary.replace(self.folder / CHECKPOINT)

    def averaged(self) -> WideNetwork:
        """A copy of the network with the averaged weights."""
        model = self.recipe.model
        network = WideNetwork(model.scales, model.shape, model.width)
        network.load_state_dict(self.average)
        return network.eval()

    def export(self, path: Path) -> None:
        """Write the averaged weights, collapsed, as a weights file of :mod:`vs_emtcm.models`."""
        model = self.recipe.model
        metadata = {
            "format": "emtcm-1",
            "name": model.name,
            "tune": model.tune,
            "scales": json.dumps(model.scales),
            "channels": str(model.shape.channels),
            "stage1": str(model.shape.stage1),
            "stage2": str(model.shape.stage2),
            "steps": str(self.step),
        }
        temporary = path.with_name(f"{path.name}.partial")
        save_file(self.averaged().file_tensors(), temporary, metadata)
        temporary.replace(path)

    def train_step(self, sources: Mapping[int, CropSource]) -> float:
        """One step over every scale; returns the loss.

        Raises:
            TrainingError: the loss is no longer a finite number.
        """
        schedule = self.recipe.schedule
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.step)
        self.optimizer.zero_grad()
        total = 0.0
        for scale, source in sources.items():
            # Derived from the step alone, so that a resumed run draws the same crops.
            rng = np.random.default_rng((schedule.seed, self.step, scale))
            low, high = source.draw(rng, schedule.batch[scale])
            low = low.to(memory_format=torch.channels_last)
            loss = scale_loss(self.network, self.recipe, scale, low, high) / len(sources)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        if not math.isfinite(total):
            raise TrainingError(
                f"the loss is {total} at step {self.step}; the last good checkpoint is kept, "
                "lower the learning rate"
            )
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        # A short memory at first, so that the random start is forgotten.
        decay = min(schedule.ema, (1 + self.step) / (10 + self.step))
        state = self.network.state_dict()
        for name, value in self.average.items():
            value.lerp_(state[name], 1 - decay)
        return total


@torch.inference_mode()
def validate(run: Run, pairs: Mapping[int, Sequence[Pair]]) -> dict[str, float]:
    """PSNR of both stages on whole pictures, as ``x2/1``, ``x2/2``, ..."""
    network = run.averaged()
    scores: dict[str, float] = {}
    for scale in run.recipe.model.scales:
        plain = Network(scale, run.recipe.model.shape)
        plain.load_state_dict(network.collapse(scale))
        values: list[list[float]] = [[], []]
        for pair in pairs[scale]:
            low = torch.from_numpy(np.array(pair.low))[None, None].float() / 255
            r = plain.radius
            padded = F.pad(low, (r, r, r, r), mode="replicate").to(memory_format=torch.channels_last)
            for stage, estimate in enumerate(plain.estimates(padded)):
                result = crop(estimate, (estimate.shape[-1] - pair.high.shape[1]) // 2)[0, 0]
                rounded = (result * 255).round().clamp(0, 255).numpy()
                values[stage].append(psnr(rounded, pair.high, scale))
        for stage in (1, 2):
            scores[f"x{scale}/{stage}"] = float(np.mean(values[stage - 1]))
    return scores


def train(
    recipe: Recipe,
    train_pairs: Mapping[int, Sequence[Pair]],
    validation_pairs: Mapping[int, Sequence[Pair]],
    folder: Path,
    start: Path | None = None,
) -> Run:
    """Train to the end of the schedule, going on from ``folder``'s checkpoint if there is one.

    Writes ``log.csv``, the checkpoint and the collapsed averaged weights into ``folder``.
    """
    run = Run(recipe, folder, start)
    schedule = recipe.schedule
    sources = {s: CropSource(train_pairs[s], schedule.crop) for s in recipe.model.scales}
    began, losses = time.monotonic(), []
    while run.step < schedule.steps:
        losses.append(run.train_step(sources))
        done = run.step == schedule.steps
        if run.step % schedule.evaluate_every == 0 or done:
            scores = validate(run, validation_pairs)
            seconds = (time.monotonic() - began) / len(losses)
            row = {"step": run.step, "loss": float(np.mean(losses)), "seconds": seconds, **scores}
            _log(folder / "log.csv", row)
            began, losses = time.monotonic(), []
        if run.step % schedule.checkpoint_every == 0 or done:
            run.save()
            run.export(folder / WEIGHTS)
    return run


def _log(path: Path, row: Mapping[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow({k: round(v, 4) for k, v in row.items()})
    print(
        "  ".join(f"{k} {v:.4g}" if k != "step" else f"step {v}" for k, v in row.items()),
        flush=True,
    )

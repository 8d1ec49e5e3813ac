"""A training run: its network, averaged weights, optimizers and step; checkpoints and exact resume."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from training.amx import AmxDetails, AmxError
from training.checks import check_scales, differences, scale_names
from training.config import Recipe
from training.crops import CropSource
from training.distributed import Part
from training.errors import TrainingError
from training.files import read_tensors, write_tensors, write_weights
from training.form import TrainedForm
from training.objective import (
    Objective,
    ScaleLoss,
    bfloat16_details,
    cubic_unit,
    details_loss,
    joined,
    torch_details,
)
from training.optimizers import Optimizers
from training.schedule import learning_rate
from training.step import Step
from vs_emtcm.shape import Shape

CHECKPOINT = "checkpoint.safetensors"
# Beyond these, the pixel task has diverged: 60 times the error of cubic interpolation (20 are an untrained
# network's), or one that is larger than any picture's.
DIVERGED = {"charbonnier": 60.0, "log": 0.5}


class Run:
    """A training run in a folder: its network, averaged weights, optimizers and step.

    Args:
        recipe: what to train.
        folder: of checkpoints and logs; an unfinished run there goes on.
        start: a checkpoint whose averaged weights to start from, or a weights file.
        device: where it is trained.
        part: of several processes.
        compiled: compile the loss with ``torch.compile``.
        amx: run the network on the processor's matrix unit, see :mod:`training.amx`.
        cache: the fingerprint of the training pairs; a run goes on with the same alone. None: any.

    Attributes:
        held: the scales that have weights: those that it started from, and those that the phases up to the
            present one train or start.
        loss_sum, loss_steps: of the losses that are not in the log yet.
        changes: which learning rates are not those that an unfinished run began with; empty if none.

    Raises:
        TrainingError: a checkpoint is damaged, of another recipe or of another cache, or a scale of the model
            would stay without weights.
        UsageError: the recipe's names do not fit its network.
        AmxError: the matrix unit cannot be used here, or the device is none of its.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        *,
        start: Path | None = None,
        device: torch.device = torch.device("cpu"),  # noqa: B008  # immutable
        part: Part = Part(),  # noqa: B008  # immutable
        compiled: bool = False,
        amx: bool = False,
        cache: str | None = None,
    ) -> None:
        if amx and device.type != "cpu":
            raise AmxError(f"AMX is a unit of the CPU; train on {device.type} without --amx")
        self.recipe = recipe
        self.folder = folder
        self.device = device
        self.part = part
        self.compiled = compiled
        self.amx = amx
        self.cache = cache
        self.step = 0
        self.held: frozenset[int] = frozenset()
        self.loss_sum, self.loss_steps = 0.0, 0
        self.changes: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(recipe.schedule.seed)
            self.form = self._new_form()
        self.average = self._copied_weights()
        self.phase = -1
        if (folder / CHECKPOINT).exists():
            self._resume(folder / CHECKPOINT)
        else:
            if start is not None:
                self._start_from(start)
            check_scales(recipe, self.held, 0)
            self.begin_phase(0)

    def _new_form(self) -> TrainedForm:
        model = self.recipe.model
        return TrainedForm(model.scales, model.shape, model.width, model.shared).to(self.device)

    def _copied_weights(self) -> dict[str, Tensor]:
        return {k: v.clone() for k, v in self.form.state_dict().items()}

    def _take(self, path: Path, tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
        taken = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        wanted = {k: v.shape for k, v in self.form.state_dict().items()}
        if {k: v.shape for k, v in taken.items()} != wanted:
            raise TrainingError(f"{path} is a checkpoint of another network; start in a new folder")
        return {k: v.to(self.device) for k, v in taken.items()}

    def _start_from(self, path: Path) -> None:
        tensors, metadata = read_tensors(path)
        if "format" not in metadata:
            self.average = self._take(path, tensors, "average/")
            self.held = _held(path, metadata)
        else:
            try:
                if Shape.from_metadata(metadata) != self.recipe.model.shape:
                    raise ValueError("of another shape")
                self.assign(tensors)
            except (KeyError, ValueError, RuntimeError) as error:
                raise TrainingError(
                    f"{path} holds the weights of another network; start from another"
                ) from error
        started = {scale for phase in self.recipe.phases for scale in phase.start}
        missing = scale_names(s for s in self.recipe.model.scales if s not in self.held | started)
        if missing:
            raise TrainingError(
                f"{path} holds no {missing}; start from another file, or let a phase start them "
                "from a scale that is there"
            )

    def assign(self, tensors: Mapping[str, Tensor]) -> None:
        """Become the networks of a weights file; see :meth:`training.form.TrainedForm.assign`."""
        self.held = self.form.assign(tensors)
        self.average = self._copied_weights()

    def begin_phase(self, index: int) -> None:
        """Go on from the averaged weights with what the phase trains, at its first step."""
        self.form.load_state_dict(self.average)
        phase = self.recipe.phases[index]
        for scale, source in phase.start.items():
            self.form.start_scale(scale, source)
        self.held |= {*phase.scales, *phase.start}
        self.average = self._copied_weights()
        self._choose_parameters(index)
        self.step = self._start_of_phase()

    def _choose_parameters(self, index: int) -> None:
        self.phase = index
        phase = self.recipe.phases[index]
        chosen = tuple(f"scales.x{s}." for s in phase.scales)
        if not phase.freeze_shared:
            chosen += ("shared.",)
        self.trained = {}
        for name, parameter in self.form.named_parameters():
            parameter.requires_grad_(name.startswith(chosen))
            if parameter.requires_grad:
                self.trained[name] = parameter
        self.optimizers = Optimizers(self.recipe.optimizer, self.trained)

    def _resume(self, path: Path) -> None:
        tensors, metadata = read_tensors(path)
        try:
            phase, before = int(metadata["phase"]), msgspec.json.decode(metadata["recipe"], type=Recipe)
            self.step = int(metadata["step"])
            self.held = _held(path, metadata)
            self.loss_sum, self.loss_steps = json.loads(metadata["loss"])
            known = metadata["cache"]
        except (KeyError, ValueError) as error:
            raise TrainingError(
                f"{path} is a checkpoint of another version; start in a new folder"
            ) from error
        for key, was, now in differences(before, self.recipe, phase):
            change = f"{key} was {was}, now it is {now}"
            if not key.endswith(("learning_rate", "end_rate")):
                raise TrainingError(
                    f"{path} is a checkpoint of another recipe ({change}); start in a new folder"
                )
            self.changes.append(change)
        if self.cache not in (None, known):
            raise TrainingError(
                f"{path} is a checkpoint of a training on another cache; give that cache, or start in a new "
                "folder"
            )
        self.cache = known
        self.form.load_state_dict(self._take(path, tensors, "network/"))
        self.average = self._take(path, tensors, "average/")
        state = {k.removeprefix("optimizer/"): v for k, v in tensors.items() if k.startswith("optimizer/")}
        try:
            self._choose_parameters(phase)
            if not self._start_of_phase() <= self.step <= self.end_of_phase():
                raise ValueError(f"step {self.step} is outside of phase {self.phase}")
            self.optimizers.restore(state)
        except (ValueError, IndexError) as error:
            raise TrainingError(f"{path} is damaged; start in a new folder") from error
        check_scales(self.recipe, self.held, phase + 1)

    def _start_of_phase(self) -> int:
        return sum(phase.steps for phase in self.recipe.phases[: self.phase])

    def end_of_phase(self) -> int:
        """The step at which the present phase is done."""
        return self._start_of_phase() + self.recipe.phases[self.phase].steps

    def save(self) -> None:
        """Write the checkpoint; a kill at any moment leaves the old one or the new one.

        Raises:
            TrainingError: weights are not finite; the old one stays.
        """
        if not all(
            bool(v.isfinite().all()) for v in (*self.form.state_dict().values(), *self.average.values())
        ):
            raise TrainingError(f"weights are not finite at step {self.step}; {self._way_on()}")
        tensors = {f"network/{k}": v for k, v in self.form.state_dict().items()}
        tensors |= {f"average/{k}": v for k, v in self.average.items()}
        tensors |= {f"optimizer/{k}": v for k, v in self.optimizers.state().items()}
        metadata = {
            "step": str(self.step),
            "phase": str(self.phase),
            "recipe": msgspec.json.encode(self.recipe).decode(),
            "held": json.dumps(sorted(self.held)),
            "loss": json.dumps((self.loss_sum, self.loss_steps)),
            "cache": self.cache or "",
        }
        write_tensors(self.folder / CHECKPOINT, {k: v.contiguous() for k, v in tensors.items()}, metadata)

    def _way_on(self) -> str:
        kept = "the last good checkpoint is kept, " if (self.folder / CHECKPOINT).exists() else ""
        return f"{kept}lower learning_rate of phases[{self.phase}]"

    def averaged(self) -> TrainedForm:
        """A copy of the form with the averaged weights."""
        form = self._new_form()
        form.load_state_dict(self.average)
        return form.eval()

    def export(self, path: Path) -> None:
        """Write the averaged weights of the scales that have some; see :func:`write_weights`."""
        scales = tuple(s for s in self.recipe.model.scales if s in self.held)
        model = msgspec.structs.replace(self.recipe.model, scales=scales)
        write_weights(path, self.averaged(), model, self.step)

    def _compile(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return torch.compile(function, dynamic=False) if self.compiled else function

    def objective(self, sources: Mapping[int, CropSource]) -> Objective | DistributedDataParallel:
        """The loss of the present phase's scales, on all processes together if there are several."""
        # Each phase compiles its own; what earlier ones compiled counts against a limit.
        torch.compiler.reset()
        losses: dict[int, ScaleLoss] = {}
        phase, shape = self.recipe.phases[self.phase], self.recipe.model.shape
        # Of more processes than crops, each takes one.
        sample = math.ceil(self.recipe.loss.sample / self.part.size)
        settings = msgspec.structs.replace(self.recipe.loss, sample=sample)
        for scale, source in sources.items():
            loss = details_loss(scale, settings, phase.pixel, cubic_unit(source))
            if self.amx:
                crops = len(range(phase.batch)[self.part.share(phase.batch)])
                details = AmxDetails(scale, shape, source.size, crops)
                losses[scale] = joined(details, self._compile(loss))
            else:
                make = bfloat16_details if self.device.type == "cuda" else torch_details
                losses[scale] = self._compile(joined(make(scale, shape, self.device), loss))
        objective = Objective(self.form, losses)
        return objective if self.part.size == 1 else DistributedDataParallel(objective)

    def stepper(self, sources: Mapping[int, CropSource]) -> Step:
        """What takes the steps of the present phase."""
        phase = self.recipe.phases[self.phase]
        return Step(
            self.objective(sources),
            sources,
            self.trained,
            self.average,
            self.optimizers,
            batch=phase.batch,
            share=self.part.share(phase.batch),
            captured=self.device.type == "cuda" and self.part.size == 1,
        )

    def train_step(self, step: Step) -> None:
        """One step over the scales of the phase."""
        schedule, phase = self.recipe.schedule, self.recipe.phases[self.phase]
        done = self.step - self._start_of_phase()
        # A short memory at first, so that the start is forgotten.
        decay = min(schedule.ema, (1 + done) / (10 + done))
        step(self._seed(), learning_rate(schedule, phase, done), decay)
        self.step += 1

    def _seed(self) -> tuple[int, int]:
        # Crops are derived from the step alone, so that a resumed run draws the same.
        return self.recipe.schedule.seed, self.step

    def loss(self, step: Step) -> float:
        """The mean loss of the steps since the last look at it, of all processes.

        Raises:
            TrainingError: it is not finite, or the pixel task's has grown beyond all measure.
        """
        loss, pixels = self.part.mean(step.mean_losses())
        self._refuse_diverged(loss, pixels)
        return loss

    def check(self, step: Step) -> None:
        """Refuse weights that the last step has ruined, before they are saved.

        :meth:`loss` is of the weights before that step.

        Raises:
            TrainingError: their loss is not finite, or the pixel task's has grown beyond all measure.
        """
        self._refuse_diverged(*step.losses_ahead(self._seed()))

    def _refuse_diverged(self, loss: float, pixels: float) -> None:
        if not (math.isfinite(loss) and pixels < DIVERGED[self.recipe.phases[self.phase].pixel]):
            raise TrainingError(f"the loss is {loss:.3g} at step {self.step}; {self._way_on()}")


def _held(path: Path, metadata: Mapping[str, str]) -> frozenset[int]:
    try:
        return frozenset(json.loads(metadata["held"]))
    except (KeyError, ValueError, TypeError) as error:
        raise TrainingError(f"{path} is a checkpoint of another version; start in a new folder") from error

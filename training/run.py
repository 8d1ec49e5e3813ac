"""A training run: its network, averaged weights, optimizers and step; checkpoints and exact resume."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from training.amx import AmxError
from training.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint, write_checkpoint
from training.checks import check_scales, differences
from training.config import Phase, Recipe
from training.crops import CropSource
from training.distributed import Part
from training.errors import TrainingError
from training.files import write_weights
from training.form import TrainedForm
from training.objective import phase_objective
from training.optimizers import Optimizers
from training.schedule import learning_rate
from training.start import Start, load_form, read_start, start_from
from training.stepper import Stepper
from vs_emtcm.errors import UsageError

# Above these losses of the pixel task, a training has diverged. "charbonnier": 60 times the error of cubic
# interpolation; an untrained network's is 20 times that. "log": an error that no picture can have.
DIVERGED = {"charbonnier": 60.0, "log": 0.5}


class Run:
    """A training run in a folder: its network, averaged weights, optimizers and step.

    Args:
        recipe: what to train.
        folder: of checkpoints and logs; an unfinished run there goes on.
        start: a checkpoint whose averaged weights to start from, or a weights file. An unfinished run goes on
            from its own checkpoint; a start that is given again must be the one that it began from.
        device: where it is trained.
        part: this process's, of several.
        compiled: compile the loss with ``torch.compile``.
        amx: run the network on the processor's matrix unit, see :mod:`training.amx`.
        cache: fingerprint of the training pairs; a run goes on with the same pairs only. None accepts any.

    Attributes:
        step: number of steps done, in all phases.
        phase: index of the present phase.
        held: the scales that have weights: those that the run started from, and those that the phases up to
            the present one train or start.
        form: what is trained.
        trained: parameters that the present phase trains, by name.
        average: state dict of the averaged weights, which are the ones shipped.
        optimizers: of ``trained``.
        loss_sum, loss_steps: sum and number of the losses that are not in the log yet.
        changes: descriptions of the learning rates that differ from those that an unfinished run began with.

    Raises:
        TrainingError: a checkpoint is damaged.
        UsageError: a checkpoint is of another recipe, another cache or another start; the start cannot be
            used; a scale of the model would stay without weights; or the recipe's names do not fit its
            network.
        AmxError: the matrix unit cannot be used here, or the device is not a CPU.
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
        # Fingerprint of the start, as in a Checkpoint.
        self.start: str | None = ""
        self.loss_sum, self.loss_steps = 0.0, 0
        self.changes: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(recipe.schedule.seed)
            self.form = self._new_form()
        self.average = self._copied_weights()
        self.phase = -1
        resumes = (folder / CHECKPOINT).exists()
        try:
            weights = None if start is None else read_start(start)
        except UsageError as error:
            if resumes:
                raise UsageError(f"{error}; the run in {folder} goes on without --start-from") from error
            raise
        if resumes:
            self._resume(folder / CHECKPOINT)
            if weights is not None:
                self._refuse_other_start(weights)
        else:
            if weights is not None:
                self.held = start_from(self.form, recipe, weights)
                self.start = weights.fingerprint
                self.average = self._copied_weights()
            check_scales(recipe, self.held, 0)
            self.begin_phase(0)

    def _new_form(self) -> TrainedForm:
        model = self.recipe.model
        return TrainedForm(model.scales, model.shape, model.width, model.shared).to(self.device)

    def _copied_weights(self) -> dict[str, Tensor]:
        return {k: v.clone() for k, v in self.form.state_dict().items()}

    def assign(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the weights of a weights file; see :meth:`training.form.TrainedForm.assign`."""
        self.held = self.form.assign(tensors)
        self.average = self._copied_weights()

    def begin_phase(self, index: int) -> None:
        """Begin a phase at its first step, from the averaged weights."""
        self.form.load_state_dict(self.average)
        phase = self.recipe.phases[index]
        for scale, source in phase.start.items():
            self.form.start_scale(scale, source)
        self.held |= {*phase.scales, *phase.start}
        self.average = self._copied_weights()
        self._choose_parameters(index)
        self.step = self._start_of_phase()

    def _choose_parameters(self, index: int) -> None:
        """Make a phase the present one: choose the parameters that it trains, with new optimizers."""
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
        """Take everything from this run's checkpoint."""
        saved = read_checkpoint(path)
        self._refuse_other_training(path, saved)
        self.step = saved.step
        self.held = saved.held
        self.loss_sum, self.loss_steps = saved.loss_sum, saved.loss_steps
        self.cache = saved.cache
        self.start = saved.start
        load_form(self.form, saved.average, path)
        self.average = self._copied_weights()
        load_form(self.form, saved.network, path)
        try:
            self._choose_parameters(saved.phase)
            if not self._start_of_phase() <= self.step <= self.end_of_phase():
                raise ValueError(f"step {self.step} is outside of phase {self.phase}")
            self.optimizers.restore(saved.optimizer)
        except (ValueError, IndexError) as error:
            raise TrainingError(f"{path} is damaged; start in a new folder") from error
        check_scales(self.recipe, self.held, saved.phase + 1)

    def _refuse_other_training(self, path: Path, saved: Checkpoint) -> None:
        """Refuse another recipe, but for learning rates, and another cache."""
        for key, was, now in differences(saved.recipe, self.recipe, saved.phase):
            change = f"{key} was {was}, now it is {now}"
            if not key.endswith(("learning_rate", "end_rate")):
                raise UsageError(
                    f"{path} is a checkpoint of another recipe ({change}); start in a new folder"
                )
            self.changes.append(change)
        if self.cache not in (None, saved.cache):
            raise UsageError(
                f"{path} is a checkpoint of a training on another cache; give that cache, or start in a new "
                "folder"
            )

    def _refuse_other_start(self, weights: Start) -> None:
        """Refuse a start that is not the one that this run began from, where that is known."""
        if self.start not in (None, weights.fingerprint):
            began = "other weights than" if self.start else "nothing, and not from"
            raise UsageError(
                f"the run in {self.folder} began from {began} {weights.path}; "
                "go on without --start-from, or start in a new folder"
            )

    def present_phase(self) -> Phase:
        """Return the phase that is being trained."""
        return self.recipe.phases[self.phase]

    def _start_of_phase(self) -> int:
        return sum(phase.steps for phase in self.recipe.phases[: self.phase])

    def end_of_phase(self) -> int:
        """Return the number of steps after which the present phase is done."""
        return self._start_of_phase() + self.present_phase().steps

    def save(self) -> None:
        """Write the checkpoint; a kill at any moment leaves the old one or the new one.

        Raises:
            TrainingError: weights are not finite, and the old checkpoint stays; or it cannot be written.
        """
        network = self.form.state_dict()
        if not all(bool(v.isfinite().all()) for v in (*network.values(), *self.average.values())):
            raise TrainingError(f"weights are not finite at step {self.step}; {self._advice()}")
        checkpoint = Checkpoint(
            step=self.step,
            phase=self.phase,
            recipe=self.recipe,
            held=self.held,
            loss_sum=self.loss_sum,
            loss_steps=self.loss_steps,
            cache=self.cache or "",
            start=self.start,
            network=network,
            average=self.average,
            optimizer=self.optimizers.state(),
        )
        write_checkpoint(self.folder / CHECKPOINT, checkpoint)

    def _advice(self) -> str:
        """Return what to do after a divergence, for a message."""
        kept = "the last good checkpoint is kept, " if (self.folder / CHECKPOINT).exists() else ""
        return f"{kept}lower learning_rate of phases[{self.phase}]"

    def averaged(self) -> TrainedForm:
        """Return a copy of the form with the averaged weights."""
        form = self._new_form()
        form.load_state_dict(self.average)
        return form.eval()

    def export(self, path: Path) -> None:
        """Write the averaged weights of the scales that have some; see :func:`write_weights`."""
        scales = tuple(s for s in self.recipe.model.scales if s in self.held)
        model = msgspec.structs.replace(self.recipe.model, scales=scales)
        write_weights(path, self.averaged(), model, self.step)

    def stepper(self, sources: Mapping[int, CropSource]) -> Stepper:
        """Return what takes the steps of the present phase."""
        phase = self.present_phase()
        objective = phase_objective(
            self.form,
            self.recipe,
            phase,
            sources,
            device=self.device,
            part=self.part,
            compiled=self.compiled,
            amx=self.amx,
        )
        return Stepper(
            objective,
            sources,
            self.trained,
            self.average,
            self.optimizers,
            batch=phase.batch,
            share=self.part.share(phase.batch),
            captured=self.device.type == "cuda" and self.part.size == 1,
        )

    def train_step(self, stepper: Stepper) -> None:
        """Take one step over the scales of the present phase."""
        schedule = self.recipe.schedule
        done = self.step - self._start_of_phase()
        # A short memory at first, so that the start is forgotten.
        decay = min(schedule.ema, (1 + done) / (10 + done))
        stepper(self._seed(), learning_rate(schedule, self.present_phase(), done), decay)
        self.step += 1

    def _seed(self) -> tuple[int, int]:
        # Crops are derived from the step alone, so that a resumed run draws the same.
        return self.recipe.schedule.seed, self.step

    def loss(self, stepper: Stepper) -> float:
        """Return the mean loss, over all processes, of the steps since the last call.

        Raises:
            TrainingError: it is not finite, or the pixel task's loss is above :data:`DIVERGED`.
        """
        loss, pixels = self.part.mean(stepper.mean_losses())
        self._refuse_diverged(loss, pixels)
        return loss

    def check(self, stepper: Stepper) -> None:
        """Refuse weights that the last step has ruined, before they are saved.

        :meth:`loss` cannot tell: a step's loss is that of the weights before it.

        Raises:
            TrainingError: their loss is not finite, or the pixel task's loss is above :data:`DIVERGED`.
        """
        self._refuse_diverged(*stepper.losses_ahead(self._seed()))

    def _refuse_diverged(self, loss: float, pixels: float) -> None:
        if not (math.isfinite(loss) and pixels < DIVERGED[self.present_phase().pixel]):
            raise TrainingError(f"the loss is {loss:.3g} at step {self.step}; {self._advice()}")

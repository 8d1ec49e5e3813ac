"""The training loop: steps, and between them checks of the loss, evaluations and checkpoints."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from training.checkpoint import CHECKPOINT
from training.config import Phase
from training.crops import CropSource, check_crops
from training.folders import SAMPLES
from training.log import Log
from training.run import Run
from training.store import PairStore
from training.validate import flat_pictures, sample_sheet, validate
from vs_emtcm.errors import UsageError

# Weights file of a run's folder.
WEIGHTS = "weights.safetensors"
# Steps between two checks of the loss, each of which waits for the device.
LOOK_EVERY = 20


def train(run: Run, training: Mapping[int, PairStore], validation: Mapping[int, PairStore]) -> None:
    """Train to the end of the recipe.

    Writes the log, sample sheets, the checkpoint and the collapsed averaged weights into the run's
    folder.

    Args:
        run: at any step.
        training: pairs by scale.
        validation: pairs by scale that are not trained on.

    Raises:
        TrainingError: the loss diverged.
        UsageError: a cache lacks a scale of the recipe, a phase's crops are larger than all pictures, or its
            batch cannot be divided by the processes.
        KeyboardInterrupt: its message says what is kept.
    """
    recipe = run.recipe
    for cache, name in ((training, "training"), (validation, "validation")):
        missing = [f"x{s}" for s in recipe.model.scales if s not in cache]
        if missing:
            raise UsageError(
                f"the {name} cache holds no pairs for {', '.join(missing)}; run 'python -m training prepare' "
                "for all scales of the recipe, on pictures that are large enough"
            )
    # Whatever would stop a later phase is refused before the first.
    for phase in recipe.phases[run.phase :]:
        run.part.share(phase.batch)
        for scale in phase.scales:
            check_crops(training[scale], phase.crop)
    if run.part.rank != 0:
        _train_phases(run, training, validation, None)
        return
    if run.changes:
        what = "; ".join([*run.changes, f"the run goes on from step {run.step}"])
        print(f"training: {what}", file=sys.stderr)
    for scale in recipe.model.scales:
        flat = flat_pictures(validation[scale])
        if flat and len(flat) < len(validation[scale]):
            numbers = ", ".join(str(number + 1) for number in flat)
            what = "these are of one colour, and do not count in PSNR"
            whole = f"of the {len(validation[scale])} validation pictures at x{scale}"
            print(f"training: {whole}, {what}: {numbers}", file=sys.stderr)
    columns = [f"x{s}/{stage} {m}" for s in recipe.model.scales for stage in (1, 2) for m in ("PSNR", "SSIM")]
    try:
        with Log(run.folder, ["loss", "seconds", *columns], run.step, recipe.steps) as log:
            _train_phases(run, training, validation, log)
        run.export(run.folder / WEIGHTS)
    except KeyboardInterrupt as error:
        kept = "; the last checkpoint is kept" if (run.folder / CHECKPOINT).exists() else ""
        raise KeyboardInterrupt(f"interrupted{kept}") from error


def _train_phases(
    run: Run, training: Mapping[int, PairStore], validation: Mapping[int, PairStore], log: Log | None
) -> None:
    """Train the present phase and those after it; without a log, this process writes nothing."""
    while True:
        _train_phase(run, training, validation, log)
        if run.phase + 1 == len(run.recipe.phases):
            return
        run.begin_phase(run.phase + 1)


def _train_phase(
    run: Run, training: Mapping[int, PairStore], validation: Mapping[int, PairStore], log: Log | None
) -> None:
    """Train the present phase from the present step to its end."""
    phase, end = run.present_phase(), run.end_of_phase()
    schedule = run.recipe.schedule
    scales: tuple[int, ...] = phase.scales
    sources = {s: CropSource(training[s], phase.crop, run.device) for s in scales}
    stepper = run.stepper(sources)
    began, timed = time.monotonic(), 0
    while run.step < end:
        first = run.step
        every = (schedule.evaluate_every, schedule.checkpoint_every, LOOK_EVERY)
        stop = min(end, *(first - first % n + n for n in every))
        while run.step < stop:
            run.train_step(stepper)
        run.loss_sum += run.loss(stepper) * (stop - first)
        run.loss_steps += stop - first
        timed += stop - first
        if log is None:
            continue
        seconds = (time.monotonic() - began) / timed
        saves = stop % schedule.checkpoint_every == 0 or stop == end
        if saves:
            run.check(stepper)
        log.advance(" ".join(f"x{s}" for s in phase.scales), stop, seconds)
        if stop % schedule.evaluate_every == 0 or stop == end:
            values = {"loss": run.loss_sum / run.loss_steps, "seconds": seconds}
            _evaluate(run, phase, validation, log, values)
            began, timed = time.monotonic(), 0
            run.loss_sum, run.loss_steps = 0.0, 0
        if saves:
            run.save()
            run.export(run.folder / WEIGHTS)


def _evaluate(
    run: Run, phase: Phase, validation: Mapping[int, PairStore], log: Log, values: dict[str, float]
) -> None:
    """Score the averaged weights on the scales of a phase, write sample sheets, and log all values."""
    form = run.averaged()
    for scale in phase.scales:
        network = form.deployed(scale).to(run.device)
        values |= validate(network, validation[scale])
        sheet = run.folder / SAMPLES / f"x{scale}-{run.step:06}.png"
        sample_sheet(network, validation[scale], sheet)
    log.scores(run.step, values)

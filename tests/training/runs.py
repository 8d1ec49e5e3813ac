"""A tiny recipe and its runs, for the tests of several modules."""

import torch

from tests.material import codes
from training.config import Loss, Model, Optimizer, Phase, Recipe, Schedule, Size
from training.crops import CropSource
from training.loop import train
from training.losses import TaskWeights
from training.pairs import clean_pair
from training.run import Run
from training.store import pack

PAIRS = pack(clean_pair(codes(144, 144, seed=i), s) for s in (2, 3, 4) for i in range(2))


def phase(**settings) -> Phase:
    return Phase(**({"scales": (2,), "steps": 3, "batch": 2, "crop": 24, "learning_rate": 3e-3} | settings))


PHASES = (phase(), phase(scales=(3, 4), start={3: 2, 4: 2}, freeze_shared=True))


def recipe(phases=PHASES, scales=(), loss=None, **schedule) -> Recipe:
    scales = scales or sorted({s for phase in phases for s in (*phase.scales, *phase.start)})
    settings = {"warmup": 2, "ema": 0.9, "seed": 3, "evaluate_every": 3, "checkpoint_every": 3}
    return Recipe(
        model=Model(
            name="tiny",
            tune="clean",
            size=Size(channels=4, stage1=2, stage2=2),
            scales=tuple(scales),
            shared=("body1.0",),
        ),
        optimizer=Optimizer(name="soap", vector_rate=0.3),
        schedule=Schedule(**(settings | schedule)),
        loss=loss
        or Loss(
            stage1=0.5,
            tasks=TaskWeights(luminance=0.1, contrast=0.1, structure=0.1, distribution=0.01),
            sample=2,
        ),
        phases=phases,
    )


def trained(folder, settings=None, **options) -> Run:
    run = Run(settings or recipe(), folder, **options)
    train(run, PAIRS, PAIRS)
    return run


def steps(run, number):
    size = run.recipe.phases[run.phase].crop
    sources = {
        s: CropSource(PAIRS[s], size, torch.device("cpu")) for s in run.recipe.phases[run.phase].scales
    }
    stepper = run.stepper(sources)
    losses = []
    for _ in range(number):
        run.train_step(stepper)
        losses.append(run.loss(stepper))
    return losses

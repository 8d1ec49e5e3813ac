"""A network that is to be narrowed, and its recipe and crops, for the tests of several modules."""

import torch

from tests.material import codes
from training.config import Loss, Model, Optimizer, Phase, Recipe, Schedule, Size
from training.crops import CropSource
from training.form import TrainedForm
from training.losses import TaskWeights
from training.pairs import clean_pair
from training.store import pack
from vs_emtcm.shape import Shape

WIDE = Shape(channels=6, stage1=2, stage2=3)
SOURCE = CropSource(pack([clean_pair(codes(160, 160), 2)])[2], 32, torch.device("cpu"))
RECIPE = Recipe(
    model=Model(name="tiny", tune="clean", size=Size(channels=4, stage1=2, stage2=2)),
    optimizer=Optimizer(name="soap", vector_rate=0.3),
    schedule=Schedule(warmup=2, ema=0.9, seed=3, evaluate_every=3, checkpoint_every=3),
    loss=Loss(stage1=0.5, tasks=TaskWeights(luminance=0, contrast=0, structure=0, distribution=0), sample=1),
    phases=(Phase(scales=(2,), steps=3, batch=2, crop=32, learning_rate=3e-3),),
)


def wide_form(shape: Shape = WIDE) -> TrainedForm:
    torch.manual_seed(1)
    form = TrainedForm((2,), shape, None, ())
    with torch.no_grad():
        for parameter in form.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return form

"""A small network in training, for the tests of several modules."""

import torch

from training.form import TrainedForm
from vs_emtcm.shape import Shape

SHAPE = Shape(channels=6, stage1=2, stage2=3)
SHARED = ("body1.0",)


def random_form(width: int | None) -> TrainedForm:
    """A form of three scales in double precision, away from the special values of initialisation."""
    torch.manual_seed(0)
    form = TrainedForm((2, 3, 4), SHAPE, width, SHARED)
    with torch.no_grad():
        for parameter in form.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return form.double()

"""Both optimizers reach a minimum, and go on exactly from a saved state."""

import pytest
import torch
from torch import nn

from training.config import Optimizer
from training.optimizers import Optimizers

TARGET = torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]])


def parameters():
    torch.manual_seed(0)
    return {"kernel": nn.Parameter(torch.randn(2, 3)), "slope": nn.Parameter(torch.randn(3))}


def follow(optimizers, named, steps):
    for _ in range(steps):
        for parameter in named.values():
            parameter.grad = None
        loss = (named["kernel"] - TARGET).square().sum() + (named["slope"] - 1).square().sum()
        loss.backward()
        optimizers.step(0.03)
    return float(loss.detach())


@pytest.mark.parametrize("name", ["soap", "adam"])
def test_the_minimum_is_reached(name):
    named = parameters()
    assert follow(Optimizers(Optimizer(name=name, vector_rate=1.0), named), named, 400) < 0.01


@pytest.mark.parametrize("name", ["soap", "adam"])
def test_a_restored_optimizer_goes_on_to_the_bit(name):
    settings = Optimizer(name=name, vector_rate=0.5)
    whole = parameters()
    first = Optimizers(settings, whole)
    follow(first, whole, 25)
    resumed = {k: nn.Parameter(v.detach().clone()) for k, v in whole.items()}
    tensors = first.state()
    second = Optimizers(settings, resumed)
    second.restore({k: v.clone() for k, v in tensors.items()})
    follow(first, whole, 25)
    follow(second, resumed, 25)
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_the_state_of_another_optimizer_is_refused():
    named = parameters()
    adam = Optimizers(Optimizer(name="adam", vector_rate=1.0), named)
    follow(adam, named, 3)
    with pytest.raises(ValueError, match="soap"):
        Optimizers(Optimizer(name="soap", vector_rate=1.0), parameters()).restore(adam.state())


@pytest.mark.parametrize("name", ["soap", "adam"])
def test_weight_decay_takes_its_share_off_kernels_alone_whatever_the_gradient(name):
    named = parameters()
    start = {k: v.detach().clone() for k, v in named.items()}
    optimizers = Optimizers(Optimizer(name=name, vector_rate=1.0, weight_decay=0.5), named)
    for parameter in named.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizers.step(0.0)  # SOAP only looks at its first gradient.
    for _ in range(10):
        optimizers.step(0.1)
    torch.testing.assert_close(named["kernel"].detach(), start["kernel"] * (1 - 0.1 * 0.5) ** 10)
    assert torch.equal(named["slope"].detach(), start["slope"])

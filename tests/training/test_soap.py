"""SOAP follows the path of another implementation."""

import pytest
import torch
from pytorch_optimizer import SOAP
from torch import nn

from training.soap import BETA, EVERY, Soap, orthonormal


def matrices():
    generator = torch.Generator().manual_seed(1)
    # Square: its first bases are unique, so that both begin alike.
    return [nn.Parameter(torch.randn(n, n, generator=generator, dtype=torch.float64)) for n in (4, 5, 5)]


def set_gradients(parameters, step):
    generator = torch.Generator().manual_seed(100 + step)
    for number, parameter in enumerate(parameters):
        scales = torch.linspace(0.3, 3, parameter.numel(), dtype=torch.float64).reshape(parameter.shape)
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.grad = ((parameter.detach() - number) * scales + 0.3 * noise) * scales


def follow(soap, step):
    if step == 0:
        soap.begin()
        return
    soap.step(torch.tensor(1e-2))
    if step % EVERY == 0:
        soap.renew()


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_the_path_is_that_of_pytorch_optimizer(weight_decay):
    theirs, ours = matrices(), matrices()
    reference = SOAP(
        theirs, lr=1e-2, betas=(BETA, BETA), weight_decay=weight_decay, precondition_frequency=EVERY
    )
    soap = Soap({str(i): m for i, m in enumerate(ours)}, weight_decay)
    for step in range(5 * EVERY + 1):
        set_gradients(theirs, step)
        reference.step()
        set_gradients(ours, step)
        follow(soap, step)
    for given, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(given.detach(), expected.detach(), rtol=0, atol=1e-5)


def test_the_basis_is_that_of_a_qr_decomposition():
    columns = torch.randn(3, 12, 12, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 3, 12)
    q = orthonormal(columns)
    expected, r = torch.linalg.qr(columns.double())
    signs = torch.diagonal(r, dim1=-2, dim2=-1).sign()
    torch.testing.assert_close(q.double(), expected * signs[:, None, :], rtol=0, atol=1e-5)


def test_a_basis_stays_orthonormal_when_columns_hardly_differ():
    generator = torch.Generator().manual_seed(0)
    columns = torch.randn(1, 40, 1, generator=generator) + 1e-4 * torch.randn(1, 40, 40, generator=generator)
    q = orthonormal(columns)
    torch.testing.assert_close(q.mT @ q, torch.eye(40)[None], rtol=0, atol=1e-5)


@pytest.mark.parametrize("alive", [0, 1, 4])
def test_rows_without_gradients_stay_as_they_are_and_others_go_on(alive):
    generator = torch.Generator().manual_seed(2)
    matrix = nn.Parameter(torch.randn(6, 9, generator=generator))
    start = matrix.detach().clone()
    soap = Soap({"kernel": matrix}, 0.0)
    for step in range(20 * EVERY + 1):
        matrix.grad = torch.zeros_like(matrix)
        matrix.grad[:alive] = torch.randn(alive, 9, generator=generator)
        follow(soap, step)
    changed = (matrix.detach() - start).abs().amax(dim=1)
    assert bool((changed[:alive] > 0.01).all())
    torch.testing.assert_close(changed[alive:], torch.zeros(6 - alive), rtol=0, atol=1e-6)

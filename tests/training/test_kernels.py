"""Kernels are trained in one form or another."""

import pytest
import torch
from torch.nn import functional as F

from training.kernels import PlainKernel, WideKernel


@pytest.mark.parametrize("identity", [True, False])
def test_a_wide_kernel_is_its_chain_of_convolutions(identity):
    torch.manual_seed(1)
    kernel = WideKernel(5, 5, 3, 32, 1.0, identity).double()
    x = torch.rand(2, 5, 9, 9, dtype=torch.float64)
    wide = F.conv2d(x, kernel.expand.reshape(32, 5, 3, 3))
    chain = F.conv2d(wide, kernel.project[:, :, None, None])
    if identity:
        chain = chain + x[..., 1:-1, 1:-1]
    torch.testing.assert_close(F.conv2d(x, kernel()), chain)


@pytest.mark.parametrize("identity", [True, False])
def test_kernels_become_what_they_are_given(identity):
    wanted = torch.rand(5, 4, 3, 3)
    for kernel in (PlainKernel(4, 5, 3, 1.0, identity), WideKernel(4, 5, 3, 64, 1.0, identity)):
        kernel.assign(wanted)
        torch.testing.assert_close(kernel(), wanted, atol=1e-4, rtol=1e-4)


def test_a_narrow_product_becomes_the_nearest_of_its_rank():
    torch.manual_seed(2)
    wanted = torch.randn(6, 4, 3, 3)
    kernel = WideKernel(4, 6, 3, 2, 1.0, False)
    kernel.assign(wanted)
    # Eckart and Young: what is missing are the other singular values.
    missing = torch.linalg.svdvals(wanted.reshape(6, -1))[2:].square().sum().sqrt()
    torch.testing.assert_close((kernel() - wanted).norm(), missing)


@pytest.mark.parametrize("identity", [True, False])
def test_a_wide_kernel_can_be_trained_from_whatever_it_was_given(identity):
    kernel = WideKernel(5, 5, 3, 64, 1.0, identity)
    kernel.assign(torch.zeros(5, 5, 3, 3))
    (kernel() - torch.rand(5, 5, 3, 3)).square().sum().backward()
    # Where both factors were zero, neither would have a gradient.
    assert ((kernel.expand.grad != 0).any(dim=1) | (kernel.project.grad != 0).any(dim=0)).all()

"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al., 2024, arXiv 2409.11321).

Matrices of one shape are stacked and stepped together. A step touches the device alone, so that a CUDA graph
can hold it; the bases are renewed between steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

# Decay per step of all running means.
BETA = 0.95
# Added to Adam's denominator.
EPSILON = 1e-8
# Steps between two renewals of the bases.
EVERY = 10
# Share of the sum of all eigenvalues that is added to each, so that no direction without gradients is lost.
FLOOR = 1e-9
# Added to each eigenvalue, so that a matrix without any gradient keeps its basis.
TINY = 1e-30


def orthonormal(columns: Tensor) -> Tensor:
    """Return the Q of a QR decomposition whose R has a positive diagonal.

    It is computed in double precision by three Cholesky factorisations (shifted CholeskyQR3, Fukaya et al.,
    SIAM J. Sci. Comput. 42(1), 2020), which do not synchronise a GPU with the CPU.

    Args:
        columns: (N, n, n).

    Returns:
        (N, n, n) of the dtype of ``columns``.
    """
    q = columns.double()
    q = q / q.norm(dim=-2, keepdim=True).clamp_min(1e-300)
    shift = 1e-13 * columns.shape[-1] * torch.eye(columns.shape[-1], dtype=q.dtype, device=q.device)
    for sweep in range(3):
        gram = q.mT @ q
        upper = torch.linalg.cholesky_ex(gram + shift if sweep == 0 else gram, upper=True).L
        q = torch.linalg.solve_triangular(upper, q, upper=True, left=False)
    result: Tensor = q.to(columns.dtype)
    return result


class Stack:
    """Matrices of one shape and their optimizer state.

    Args:
        matrices: each (rows, columns).

    Attributes:
        mean: (N, rows, columns) running mean of the gradients.
        square: (N, rows, columns) running mean of the squared gradients in the eigenbases.
        left, right: (N, rows, rows) and (N, columns, columns) running means of G G' and G' G for gradients G:
            Shampoo's statistics.
        left_basis, right_basis: their eigenvectors, as columns in the order of falling eigenvalues.
    """

    def __init__(self, matrices: Sequence[nn.Parameter]) -> None:
        self.matrices = list(matrices)
        like = torch.stack([m.detach() for m in matrices])
        rows, columns = like.shape[1:]
        self.mean = torch.zeros_like(like)
        self.square = torch.zeros_like(like)
        self.left = like.new_zeros(len(like), rows, rows)
        self.right = like.new_zeros(len(like), columns, columns)
        self.left_basis = torch.zeros_like(self.left)
        self.right_basis = torch.zeros_like(self.right)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def _gradients(self) -> Tensor:
        return torch.stack([m.grad for m in self.matrices if m.grad is not None])

    def _add_to_statistics(self, gradients: Tensor) -> None:
        self.left.lerp_(gradients @ gradients.mT, 1 - BETA)
        self.right.lerp_(gradients.mT @ gradients, 1 - BETA)

    def begin(self) -> None:
        """Take the first bases from the first gradients; the matrices stay as they are."""
        self._add_to_statistics(self._gradients())
        for statistics, basis in ((self.left, self.left_basis), (self.right, self.right_basis)):
            # eigh() would fail on values that are not finite; the check of the loss reports them.
            basis.copy_(torch.linalg.eigh(statistics.nan_to_num()).eigenvectors.flip(-1))

    def step(self, rate: Tensor, correction: Tensor, weight_decay: float) -> None:
        """Update the matrices by their gradients.

        Args:
            rate: the learning rate.
            correction: factor for the bias of ``mean`` and ``square``, which began at zero.
            weight_decay: each weight loses this share of itself, times the rate.
        """
        gradients = self._gradients()
        left, right = self.left_basis, self.right_basis
        self.mean.lerp_(gradients, 1 - BETA)
        self.square.lerp_((left.mT @ gradients @ right).square(), 1 - BETA)
        scaled = (left.mT @ self.mean @ right) / (self.square.sqrt() + EPSILON)
        changes = (left @ scaled @ right.mT) * (rate * correction)
        for matrix, change in zip(self.matrices, changes, strict=True):
            matrix.sub_(change).mul_(1 - rate * weight_decay)
        self._add_to_statistics(gradients)

    def renew(self) -> None:
        """Improve both bases by one power iteration, and sort their columns by falling eigenvalues."""
        for statistics, basis, axis in ((self.left, self.left_basis, 1), (self.right, self.right_basis, 2)):
            total = statistics.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None]
            product = statistics @ basis + (FLOOR * total + TINY) * basis
            order = (basis * product).sum(dim=1).argsort(dim=1, descending=True)
            self.square.copy_(self.square.gather(axis, order.unsqueeze(3 - axis).expand_as(self.square)))
            basis.copy_(orthonormal(product.gather(2, order[:, None, :].expand_as(product))))


class Soap:
    """The optimizer of matrices of any shapes.

    Args:
        named: the matrices by name.
        weight_decay: decoupled from the gradient: each step takes this times the learning rate off them.
    """

    def __init__(self, named: Mapping[str, nn.Parameter], weight_decay: float) -> None:
        self.weight_decay = weight_decay
        shapes = sorted({tuple(m.shape) for m in named.values()})
        self.stacks = {s: Stack([m for m in named.values() if tuple(m.shape) == s]) for s in shapes}
        device = next(iter(named.values())).device
        self.steps = torch.zeros((), device=device)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state by name; every step changes it in place."""
        named = {
            f"{rows}x{columns}/{name}": value
            for (rows, columns), stack in self.stacks.items()
            for name, value in stack.tensors().items()
        }
        return {**named, "steps": self.steps}

    @torch.no_grad()
    def begin(self) -> None:
        """Take the first bases from the first gradients; the matrices stay as they are."""
        for stack in self.stacks.values():
            stack.begin()

    @torch.no_grad()
    def step(self, rate: Tensor) -> None:
        """Update the matrices by their gradients at a learning rate, a scalar on the device."""
        self.steps.add_(1)
        correction = (1 - BETA**self.steps).rsqrt()
        for stack in self.stacks.values():
            stack.step(rate, correction, self.weight_decay)

    @torch.no_grad()
    def renew(self) -> None:
        """Renew the bases, which must happen after every :data:`EVERY` steps."""
        for stack in self.stacks.values():
            stack.renew()

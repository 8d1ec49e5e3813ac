"""The form that is trained: several scales side by side, collapsed into deployed networks.

A kernel is trained as it is deployed (:class:`PlainKernel`) or as the product of a 3x3 convolution to
``width`` channels, a 1x1 convolution back and an identity (:class:`WideKernel`): a collapsible linear
block (Bhardwaj et al., SESR, MLSys 2022). The product of the weights is convolved, not the pixels, so
that a step costs what the deployed network costs.

Scales may share kernels. Slopes and biases are always a scale's own: they cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from vs_emtcm.errors import UsageError
from vs_emtcm.network import Network
from vs_emtcm.shape import BODY_SIZE, HEAD_SIZE, Shape

# Differences of neighbouring pixels are small numbers. Biases are trained this much larger, so that a step
# of the optimizer is as small for a bias as it is for a weight. Features stay small: halves hold them.
GAIN = 16.0


def _identity(outputs: int, inputs: int, size: int) -> Tensor:
    delta = torch.zeros(outputs, inputs, size, size)
    for i in range(min(inputs, outputs)):
        delta[i, i, size // 2, size // 2] = 1
    return delta


class PlainKernel(nn.Module):
    """A (outputs, inputs, size, size) kernel, held as a matrix: one row for each output.

    Args:
        inputs, outputs, size: of the kernel.
        spread: standard deviation at the start, relative to He's for ReLU.
        identity: start near the identity.
    """

    def __init__(self, inputs: int, outputs: int, size: int, spread: float, identity: bool) -> None:
        super().__init__()
        self.shape = outputs, inputs, size, size
        kernel = spread * (2 / (inputs * size * size)) ** 0.5 * torch.randn(self.shape)
        if identity:
            kernel += _identity(outputs, inputs, size)
        self.matrix = nn.Parameter(kernel.reshape(outputs, -1))

    def forward(self) -> Tensor:
        """The kernel."""
        return self.matrix.reshape(self.shape)

    @torch.no_grad()
    def assign(self, kernel: Tensor) -> None:
        """Become ``kernel``."""
        self.matrix.copy_(kernel.reshape(self.matrix.shape))


class WideKernel(nn.Module):
    """A (outputs, inputs, size, size) kernel made of a wide one and a 1x1 projection.

    Args:
        inputs, outputs, size: of the kernel.
        width: channels between the two.
        spread: standard deviation at the start, relative to He's for ReLU.
        identity: add the identity.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, width: int, spread: float, identity: bool
    ) -> None:
        super().__init__()
        self.shape = outputs, inputs, size, size
        self.expand = nn.Parameter((2 / (inputs * size * size)) ** 0.5 * torch.randn(width, inputs * size**2))
        self.project = nn.Parameter(spread / width**0.5 * torch.randn(outputs, width))
        delta = _identity(outputs, inputs, size) if identity else torch.zeros(self.shape)
        self.register_buffer("delta", delta, persistent=False)
        self.delta: Tensor

    def forward(self) -> Tensor:
        """The collapsed kernel."""
        return (self.project @ self.expand).reshape(self.shape) + self.delta

    @torch.no_grad()
    def assign(self, kernel: Tensor) -> None:
        """Collapse into ``kernel``; only into its nearest if its rank is larger than ``width``."""
        wanted = (kernel.to(self.delta) - self.delta).reshape(len(kernel), -1)
        left, values, right = torch.linalg.svd(wanted.double(), full_matrices=False)
        # Where both sides were zero, nothing could be learned.
        rank = min(len(self.expand), int((values > 1e-7 * values[0]).sum()))
        spread = values[:rank].sqrt()
        self.expand[:rank] = (spread[:, None] * right[:rank]).to(self.expand)
        self.project.zero_()
        self.project[:, :rank] = (left[:, :rank] * spread).to(self.project)


def kernel_names(shape: Shape) -> list[str]:
    """Every kernel of a network, in the order of computation."""
    stage1 = ["head", *(f"body1.{i}" for i in range(shape.stage1)), "estimate1"]
    return [*stage1, "fuse", *(f"body2.{i}" for i in range(shape.stage2 - 1)), "estimate2"]


def _kernel(name: str, shape: Shape, scale: int, width: int | None) -> PlainKernel | WideKernel:
    c, r2 = shape.channels, scale * scale
    # Small at first beside the identity: a deep chain then starts out near the identity.
    inputs, outputs, size, spread, identity = {
        "head": (1, c, HEAD_SIZE, 1.0, False),
        "estimate1": (c, r2, BODY_SIZE, 0.1, False),
        "fuse": (c + r2, c, BODY_SIZE, 0.5, True),
        "estimate2": (c, r2, BODY_SIZE, 0.1, False),
    }.get(name, (c, c, BODY_SIZE, 0.5, True))
    if width is None:
        return PlainKernel(inputs, outputs, size, spread, identity)
    return WideKernel(inputs, outputs, size, width, spread, identity)


def _key(name: str) -> str:
    # A module's name may not hold a dot.
    return name.replace(".", "/")


class Activations(nn.Module):
    """Bias and PReLU slope of one layer of one scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.slope = nn.Parameter(torch.full((channels,), 0.25))


class ScaleForm(nn.Module):
    """What belongs to one scale alone."""

    def __init__(self, scale: int, shape: Shape, width: int | None, shared: Collection[str]) -> None:
        super().__init__()
        names = kernel_names(shape)
        self.kernels = nn.ModuleDict(
            {_key(n): _kernel(n, shape, scale, width) for n in names if n not in shared}
        )
        self.activations = nn.ModuleDict(
            {_key(n): Activations(shape.channels) for n in names if not n.startswith("estimate")}
        )


class TrainedForm(nn.Module):
    """EMTCM for several scales in the form that is trained.

    Args:
        scales: the scales of the model.
        shape: the size of the deployed network.
        width: channels of wide kernels, or None for plain ones.
        shared: names of the kernels that all scales have in common, see :func:`kernel_names`.

    Raises:
        UsageError: ``shared`` names a kernel that does not exist or differs between the scales.
    """

    def __init__(
        self, scales: tuple[int, ...], shape: Shape, width: int | None, shared: Collection[str]
    ) -> None:
        super().__init__()
        sharable = [n for n in kernel_names(shape) if n == "head" or n.startswith("body")]
        for name in shared:
            if name not in sharable:
                raise UsageError(f"{name!r} cannot be shared; accepted are {', '.join(sharable)}")
        self.shape = shape
        self.shared = nn.ModuleDict({_key(n): _kernel(n, shape, 0, width) for n in shared})
        self.scales = nn.ModuleDict({f"x{s}": ScaleForm(s, shape, width, shared) for s in scales})

    def scale_form(self, scale: int) -> ScaleForm:
        """What belongs to ``scale`` alone."""
        form = self.scales[f"x{scale}"]
        assert isinstance(form, ScaleForm)
        return form

    def kernels(self, scale: int) -> dict[str, nn.Module]:
        """The kernels of a scale by their names, shared ones included."""
        own = {**dict(self.shared.items()), **dict(self.scale_form(scale).kernels.items())}
        return {key.replace("/", "."): kernel for key, kernel in own.items()}

    def collapse(self, scale: int) -> dict[str, Tensor]:
        """The state dict of :class:`vs_emtcm.network.Network` for ``scale``, differentiable."""
        kernels = {name: kernel() for name, kernel in self.kernels(scale).items()}
        # A first kernel that sums to zero makes every feature independent of the local level.
        kernels["head"] = kernels["head"] - kernels["head"].mean(dim=(2, 3), keepdim=True)
        state = {f"{name}.weight": kernels[name] for name in ("estimate1", "estimate2")}
        for key, layer in self.scale_form(scale).activations.items():
            assert isinstance(layer, Activations)
            name = key.replace("/", ".")
            state[f"{name}.conv.weight"] = kernels[name]
            state[f"{name}.conv.bias"] = layer.bias / GAIN
            state[f"{name}.slope"] = layer.slope
        return {**state, **flat_field_biases(state, self.shape)}

    @torch.no_grad()
    def start_scale(self, scale: int, source: int) -> None:
        """Give ``scale`` the weights of another scale, its sub-pixels interpolated from that one's."""
        kernels, known = self.kernels(scale), self.kernels(source)
        spread = subpixel_interpolation(source, scale)
        gather = subpixel_interpolation(scale, source)
        for key in self.scale_form(scale).kernels:
            name = key.replace("/", ".")
            kernel, wanted = kernels[name], known[name]()
            if name != "fuse" and not name.startswith("estimate"):
                # As it is, whatever of several forms it has.
                kernel.load_state_dict(known[name].state_dict())
                continue
            if name.startswith("estimate"):
                wanted = torch.einsum("ab,bikl->aikl", spread.to(wanted), wanted)
            else:
                features, detail = wanted.split([self.shape.channels, source * source], dim=1)
                wanted = torch.cat(
                    (features, torch.einsum("obkl,ba->oakl", detail, gather.to(detail))), dim=1
                )
            assert isinstance(kernel, PlainKernel | WideKernel)
            kernel.assign(wanted)
        activations = self.scale_form(source).activations.state_dict()
        self.scale_form(scale).activations.load_state_dict(activations)

    def file_tensors(self, scales: Sequence[int]) -> dict[str, Tensor]:
        """What a weights file of some scales holds: ``shared/...`` once, ``x2/...`` for each."""
        with torch.no_grad():
            states = {s: self.collapse(s) for s in scales}
        shared = {f"{key.replace('/', '.')}.conv.weight" for key in self.shared}
        tensors = {f"shared/{n}": states[scales[0]][n].clone() for n in sorted(shared)}
        for scale, state in states.items():
            tensors |= {f"x{scale}/{n}": v.clone() for n, v in state.items() if n not in shared}
        return {k: v.detach().cpu().contiguous() for k, v in tensors.items()}

    @torch.no_grad()
    def assign(self, tensors: Mapping[str, Tensor]) -> frozenset[int]:
        """Become the networks of a weights file; see :meth:`file_tensors`.

        Of kernels that are shared here and not there, those of the first scale are taken. Scales that they do
        not hold stay as they are.

        Returns:
            The scales that they hold.

        Raises:
            KeyError, RuntimeError: the tensors are those of other networks.
        """
        held = [key for key in self.scales if f"{key}/head.slope" in tensors]
        if not held:
            raise KeyError(f"none of {', '.join(self.scales)}")
        for key in held:
            scale = int(key.removeprefix("x"))
            for name, kernel in self.kernels(scale).items():
                if key != held[0] and _key(name) in self.shared:
                    continue
                suffix = "weight" if name.startswith("estimate") else "conv.weight"
                # The file may share kernels that this form does not.
                shared = f"shared/{name}.{suffix}"
                value = tensors[shared if shared in tensors else f"{key}/{name}.{suffix}"]
                assert isinstance(kernel, PlainKernel | WideKernel)
                kernel.assign(value)
            for layer, own in self.scale_form(scale).activations.items():
                name = layer.replace("/", ".")
                assert isinstance(own, Activations)
                own.bias.copy_(tensors[f"{key}/{name}.conv.bias"] * GAIN)
                own.slope.copy_(tensors[f"{key}/{name}.slope"])
        return frozenset(int(key.removeprefix("x")) for key in held)

    def deployed(self, scale: int) -> Network:
        """The deployed network of ``scale`` with the present weights."""
        network = Network(scale, self.shape)
        network.load_state_dict(self.collapse(scale))
        return network.eval()


def subpixel_interpolation(source: int, target: int) -> Tensor:
    """Linear interpolation (and extrapolation) from the sub-pixels of one scale to another's.

    Returns:
        (target**2, source**2), both in the order of ``pixel_shuffle``; each row sums to one.
    """
    known = (torch.arange(source) + 0.5) / source - 0.5
    wanted = (torch.arange(target) + 0.5) / target - 0.5
    left = (torch.searchsorted(known, wanted) - 1).clamp(0, source - 2)
    share = (wanted - known[left]) * source
    rows = torch.zeros(target, source)
    rows[torch.arange(target), left] = 1 - share
    rows[torch.arange(target), left + 1] += share
    return torch.einsum("ai,bj->abij", rows, rows).reshape(target**2, source**2)


def flat_field_biases(state: Mapping[str, Tensor], shape: Shape) -> dict[str, Tensor]:
    """Biases of both estimates that cancel the network's response to a flat field.

    Args:
        state: all other weights of a :class:`vs_emtcm.network.Network`.
        shape: its size.
    """

    def respond(name: str, x: Tensor) -> Tensor:
        summed = state[f"{name}.conv.weight"].sum(dim=(2, 3)) @ x + state[f"{name}.conv.bias"]
        return torch.where(summed >= 0, summed, state[f"{name}.slope"] * summed)

    head = respond("head", state["head.conv.bias"].new_zeros(1))
    features = head
    for i in range(shape.stage1):
        features = respond(f"body1.{i}", features)
    features = features + head
    estimate1 = state["estimate1.weight"].sum(dim=(2, 3))
    detail = features.new_zeros(len(estimate1))
    refined = skip = respond("fuse", torch.cat((features, detail)))
    for i in range(shape.stage2 - 1):
        refined = respond(f"body2.{i}", refined)
    refined = refined + skip
    estimate2 = state["estimate2.weight"].sum(dim=(2, 3))
    return {"estimate1.bias": -estimate1 @ features, "estimate2.bias": -estimate2 @ refined}

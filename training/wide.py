"""The form that is trained: every kernel wide, collapsed into the deployed form at each step.

A kernel of the deployed network is the product of a 3x3 convolution to ``width`` channels, a 1x1
convolution back, and an identity: a collapsible linear block (Bhardwaj et al., SESR, MLSys 2022).
The product of the weights is convolved, not the pixels, so that training costs what the narrow
network costs.

The three scales share the kernels of the first stage's body but for its last layer; everything else
is their own: first and last kernels, slopes, biases, estimates and the second stage.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from vs_emtcm.network import BODY_SIZE, HEAD_SIZE, Network, Shape

# Differences of neighbouring pixels are small numbers. Inside the network they are this much larger,
# so that a step of the optimizer is as small for a bias as it is for a weight.
GAIN = 16.0


class WideKernel(nn.Module):
    """A (outputs, inputs, size, size) kernel made of a wide one and a 1x1 projection."""

    def __init__(self, inputs: int, outputs: int, size: int, width: int, identity: bool) -> None:
        super().__init__()
        self.expand = nn.Parameter(torch.empty(width, inputs, size, size))
        self.project = nn.Parameter(torch.empty(outputs, width))
        nn.init.kaiming_normal_(self.expand, nonlinearity="relu")
        # Small at first beside the identity: a deep chain then starts out near the identity.
        nn.init.normal_(self.project, std=(0.5 if identity else 1.0) / width**0.5)
        delta = torch.zeros(outputs, inputs, size, size)
        if identity:
            for i in range(min(inputs, outputs)):
                delta[i, i, size // 2, size // 2] = 1
        self.register_buffer("delta", delta, persistent=False)
        self.delta: Tensor

    def forward(self) -> Tensor:
        """The collapsed kernel."""
        return torch.einsum("ow,wikl->oikl", self.project, self.expand) + self.delta


def _shared_kernels(shape: Shape, width: int) -> dict[str, nn.Module]:
    c = shape.channels
    return {f"body1/{i}": WideKernel(c, c, BODY_SIZE, width, identity=True) for i in range(shape.stage1 - 1)}


def _scale_kernels(shape: Shape, scale: int, width: int) -> dict[str, nn.Module]:
    c, r2 = shape.channels, scale * scale
    kernels: dict[str, nn.Module] = {
        "head": WideKernel(1, c, HEAD_SIZE, width, identity=False),
        f"body1/{shape.stage1 - 1}": WideKernel(c, c, BODY_SIZE, width, identity=True),
        "estimate1": WideKernel(c, r2, BODY_SIZE, width, identity=False),
        "fuse": WideKernel(c + r2, c, BODY_SIZE, width, identity=True),
        "estimate2": WideKernel(c, r2, BODY_SIZE, width, identity=False),
    }
    for i in range(shape.stage2 - 1):
        kernels[f"body2/{i}"] = WideKernel(c, c, BODY_SIZE, width, identity=True)
    for name in ("estimate1", "estimate2"):
        kernel = kernels[name]
        assert isinstance(kernel, WideKernel)
        nn.init.normal_(kernel.project, std=0.1 / width**0.5)
    return kernels


class Activations(nn.Module):
    """Bias and PReLU slope of one layer of one scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.slope = nn.Parameter(torch.full((channels,), 0.25))


def _layer_names(shape: Shape) -> list[str]:
    stage1 = ["head", *(f"body1/{i}" for i in range(shape.stage1))]
    return [*stage1, "fuse", *(f"body2/{i}" for i in range(shape.stage2 - 1))]


class _Estimates(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.network.estimates(x)


class WideNetwork(nn.Module):
    """EMTCM for several scales in the form that is trained.

    Args:
        scales: the scales trained together.
        shape: the size of the deployed network.
        width: channels of the wide form.
    """

    def __init__(self, scales: tuple[int, ...], shape: Shape, width: int = 64) -> None:
        super().__init__()
        self.scales = scales
        self.shape = shape
        # Wide kernels by the name of the deployed layer that they collapse into.
        self.shared = nn.ModuleDict(_shared_kernels(shape, width))
        self.kernels = nn.ModuleDict(
            {f"x{s}": nn.ModuleDict(_scale_kernels(shape, s, width)) for s in scales}
        )
        self.activations = nn.ModuleDict(
            {
                f"x{s}": nn.ModuleDict({n: Activations(shape.channels) for n in _layer_names(shape)})
                for s in scales
            }
        )
        # Plain modules outside the parameter tree: only their structure is used.
        self._plain = {s: _Estimates(Network(s, shape)).requires_grad_(False) for s in scales}

    def forward(self, x: Tensor, scale: int) -> tuple[Tensor, ...]:
        """The estimates of both stages; see :meth:`vs_emtcm.network.Network.estimates`."""
        weights = {f"network.{k}": v for k, v in self.collapse(scale).items()}
        plain = self._plain[scale]
        if (plain.network.cubic.device, plain.network.cubic.dtype) != (x.device, x.dtype):
            plain.to(x.device, x.dtype)
        estimates: tuple[Tensor, ...] = functional_call(plain, weights, (x,))
        return estimates

    def collapse(self, scale: int) -> dict[str, Tensor]:
        """The state dict of :class:`vs_emtcm.network.Network` for ``scale``, differentiable."""
        kernels = {
            **{n: k() for n, k in self.shared.items()},
            **{n: k() for n, k in self._of_scale(self.kernels, scale).items()},
        }
        # A first kernel that sums to zero makes every feature independent of the local level.
        kernels["head"] = GAIN * (kernels["head"] - kernels["head"].mean(dim=(2, 3), keepdim=True))
        features, detail = kernels["fuse"].split([self.shape.channels, scale * scale], dim=1)
        kernels["fuse"] = torch.cat((features, GAIN * detail), dim=1)
        for name in ("estimate1", "estimate2"):
            kernels[name] = kernels[name] / GAIN
        state: dict[str, Tensor] = {}
        for name, layer in self._of_scale(self.activations, scale).items():
            assert isinstance(layer, Activations)
            key = name.replace("/", ".")
            state[f"{key}.conv.weight"] = kernels[name]
            state[f"{key}.conv.bias"] = layer.bias
            state[f"{key}.slope"] = layer.slope
        state["estimate1.weight"] = kernels["estimate1"]
        state["estimate2.weight"] = kernels["estimate2"]
        return {**state, **flat_field_biases(state, self.shape)}

    def _of_scale(self, modules: nn.ModuleDict, scale: int) -> nn.ModuleDict:
        chosen = modules[f"x{scale}"]
        assert isinstance(chosen, nn.ModuleDict)
        return chosen

    def file_tensors(self) -> dict[str, Tensor]:
        """What a weights file holds: ``shared/...`` once, ``x2/...`` for each scale."""
        with torch.no_grad():
            states = {s: self.collapse(s) for s in self.scales}
        names = {f"{n.replace('/', '.')}.conv.weight" for n in self.shared}
        tensors = {f"shared/{n}": states[self.scales[0]][n].clone() for n in sorted(names)}
        for scale, state in states.items():
            own = {f"x{scale}/{n}": v.clone() for n, v in state.items() if n not in names}
            tensors.update(own)
        return {k: v.detach().cpu().contiguous() for k, v in tensors.items()}


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

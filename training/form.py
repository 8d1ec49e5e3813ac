"""The network in training: several scales side by side, collapsed into deployed networks.

Scales may share kernels. Slopes and biases are always a scale's own: they cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from training.flat_field import flat_field_biases
from training.kernels import PlainKernel, WideKernel, kernel_names, new_kernel
from training.subpixels import subpixel_interpolation
from vs_emtcm.errors import UsageError
from vs_emtcm.network import Network
from vs_emtcm.shape import Shape

# Biases are trained at this many times their size. Differences of neighbouring pixels are small numbers, and
# so are biases beside weights: with the gain, a step of the optimizer is as small for a bias as it is for a
# weight, and features stay small enough for half precision.
GAIN = 16.0


def _key(name: str) -> str:
    """Return a kernel's name as a key of a ``ModuleDict``, which may not hold a dot."""
    return name.replace(".", "/")


def _name(key: str) -> str:
    """Undo :func:`_key`."""
    return key.replace("/", ".")


class Activations(nn.Module):
    """Bias, ``GAIN`` times its size, and PReLU slopes of one layer of one scale; (channels,) each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.slope = nn.Parameter(torch.full((channels,), 0.25))


class ScaleForm(nn.Module):
    """The kernels, slopes and biases that belong to one scale alone.

    Args:
        scale: 2, 3 or 4.
        shape, width, shared: see :class:`TrainedForm`.
    """

    def __init__(self, scale: int, shape: Shape, width: int | None, shared: Collection[str]) -> None:
        super().__init__()
        names = kernel_names(shape)
        self.kernels = nn.ModuleDict(
            {_key(n): new_kernel(n, shape, scale, width) for n in names if n not in shared}
        )
        self.activations = nn.ModuleDict(
            {_key(n): Activations(shape.channels) for n in names if not n.startswith("estimate")}
        )


class TrainedForm(nn.Module):
    """EMTCM for several scales, in the form that is trained.

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
        self.shared = nn.ModuleDict({_key(n): new_kernel(n, shape, 0, width) for n in shared})
        self.scales = nn.ModuleDict({f"x{s}": ScaleForm(s, shape, width, shared) for s in scales})

    def scale_form(self, scale: int) -> ScaleForm:
        """Return what belongs to ``scale`` alone."""
        form = self.scales[f"x{scale}"]
        assert isinstance(form, ScaleForm)
        return form

    def kernels(self, scale: int) -> dict[str, nn.Module]:
        """Return the kernels of a scale by their names, shared ones included."""
        own = {**dict(self.shared.items()), **dict(self.scale_form(scale).kernels.items())}
        return {_name(key): kernel for key, kernel in own.items()}

    def collapse(self, scale: int) -> dict[str, Tensor]:
        """Return the state dict of :class:`vs_emtcm.network.Network` for ``scale``, differentiable."""
        kernels = {name: kernel() for name, kernel in self.kernels(scale).items()}
        # First kernels that sum to zero make every feature independent of the local brightness.
        kernels["head"] = kernels["head"] - kernels["head"].mean(dim=(2, 3), keepdim=True)
        state = {f"{name}.weight": kernels[name] for name in ("estimate1", "estimate2")}
        for key, layer in self.scale_form(scale).activations.items():
            assert isinstance(layer, Activations)
            name = _name(key)
            state[f"{name}.conv.weight"] = kernels[name]
            state[f"{name}.conv.bias"] = layer.bias / GAIN
            state[f"{name}.slope"] = layer.slope
        return {**state, **flat_field_biases(state, self.shape)}

    @torch.no_grad()
    def start_scale(self, scale: int, source: int) -> None:
        """Give ``scale`` the weights of scale ``source``.

        Kernels that make or take sub-pixels are interpolated from the sub-pixels of one scale to the other's.
        """
        kernels, known = self.kernels(scale), self.kernels(source)
        spread = subpixel_interpolation(source, scale)
        gather = subpixel_interpolation(scale, source)
        for key in self.scale_form(scale).kernels:
            name = _name(key)
            kernel, wanted = kernels[name], known[name]()
            if name != "fuse" and not name.startswith("estimate"):
                # Parameter by parameter: a wide kernel keeps its factors.
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
        """Return the tensors of a weights file: ``shared/...`` once, ``x2/...`` and the like for each scale.

        They are collapsed kernels, slopes and biases, contiguous on the CPU.
        """
        with torch.no_grad():
            states = {s: self.collapse(s) for s in scales}
        shared = {f"{_name(key)}.conv.weight" for key in self.shared}
        tensors = {f"shared/{n}": states[scales[0]][n].clone() for n in sorted(shared)}
        for scale, state in states.items():
            tensors |= {f"x{scale}/{n}": v.clone() for n, v in state.items() if n not in shared}
        return {k: v.detach().cpu().contiguous() for k, v in tensors.items()}

    @torch.no_grad()
    def assign(self, tensors: Mapping[str, Tensor]) -> frozenset[int]:
        """Take the weights of a weights file.

        A kernel that is shared here but not in the file takes the values of the file's first scale. Scales
        that the file does not hold stay as they are.

        Args:
            tensors: of the file, see :meth:`file_tensors`.

        Returns:
            The scales that the file holds.

        Raises:
            KeyError, RuntimeError: the tensors are of another network.
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
                name = _name(layer)
                assert isinstance(own, Activations)
                own.bias.copy_(tensors[f"{key}/{name}.conv.bias"] * GAIN)
                own.slope.copy_(tensors[f"{key}/{name}.slope"])
        return frozenset(int(key.removeprefix("x")) for key in held)

    def deployed(self, scale: int) -> Network:
        """Return the deployed network of ``scale`` with the present weights."""
        network = Network(scale, self.shape)
        network.load_state_dict(self.collapse(scale))
        return network.eval()

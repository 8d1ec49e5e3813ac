"""``Network.details`` and its gradient on the matrix unit, as a function of weights and crops."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from training.amx.library import AmxError, load_library
from training.kernels import kernel_names
from vs_emtcm.network import cubic_difference_kernel
from vs_emtcm.shape import Shape, receptive_radius

# Channels that a tile holds as float32; kernels are filled up to whole tiles.
LANES = 16
# Channels that network.cpp can compute with.
MOST_CHANNELS = 2 * LANES


class AmxDetails:
    """The details of a batch of crops; see :meth:`vs_emtcm.network.Network.details`.

    Features are bfloat16; the pixels that they are made of and the details are float32. The details are
    within about a tenth of an 8-bit code value of PyTorch's.

    Args:
        scale: 2, 3 or 4.
        shape: of the network, with at most 32 channels; 16 and 32 make full use of the unit.
        side: of a low-resolution crop in pixels.
        crops: number of crops in a batch.

    Raises:
        AmxError: there is no matrix unit, or the network does not fit it.
    """

    def __init__(self, scale: int, shape: Shape, side: int, crops: int) -> None:
        if shape.channels > MOST_CHANNELS:
            raise AmxError(f"AMX takes networks of up to {MOST_CHANNELS} channels, not {shape.channels}")
        self.library = load_library()
        self.scale, self.side, self.crops = scale, side, crops
        self._filling = -shape.channels % LANES
        self.sides = tuple(side - 2 * receptive_radius(shape, stages) for stages in (1, 2))
        self._layers = [name for name in kernel_names(shape) if not name.startswith("estimate")]
        cubic = cubic_difference_kernel(scale).reshape(scale * scale, -1).T
        self._cubic = F.pad(cubic, (0, LANES - scale * scale)).contiguous()
        self.native: int | None = self.library.emtcm_create(
            shape.channels + self._filling,
            shape.stage1,
            shape.stage2,
            scale * scale,
            side,
            crops,
            torch.get_num_threads(),
            self._cubic.data_ptr(),
        )
        if self.native is None:
            raise AmxError(f"there is not enough memory for {crops} crops of {side} pixels")
        weakref.finalize(self, self.library.emtcm_destroy, self.native)

    def __call__(self, state: Mapping[str, Tensor], low: Tensor) -> tuple[Tensor, Tensor]:
        """Return the details of both stages, differentiable by the state.

        A gradient can be computed for the last call only.

        Args:
            state: of :class:`vs_emtcm.network.Network`, float32 on the CPU.
            low: (crops, 1, side, side) of values in 0..1.

        Returns:
            (crops, scale**2, H', W') for each stage, float32.

        Raises:
            ValueError: ``low`` has another shape.
        """
        if low.shape != (self.crops, 1, self.side, self.side):
            raise ValueError(f"low is {tuple(low.shape)}, not {self.crops} crops of {self.side} pixels")
        first, second = _Details.apply(  # type: ignore[no-untyped-call]
            self._packed(state), low.contiguous(), self
        )
        return first.permute(0, 3, 1, 2), second.permute(0, 3, 1, 2)

    def _packed(self, state: Mapping[str, Tensor]) -> Tensor:
        """Return all weights as one vector, in the order of network.cpp.

        Kernels are [tap][input][output], filled up with zeros to whole tiles.
        """
        fill, fill_subpixels = self._filling, LANES - self.scale**2
        fuse, channels = state["fuse.conv.weight"], len(state["head.slope"])
        estimates = [state[f"estimate{i}.weight"] for i in (1, 2)]
        kernels = [_filled(state["head.conv.weight"], 0, fill)]
        kernels += [
            _filled(fuse[:, :channels] if name == "fuse" else state[f"{name}.conv.weight"], fill, fill)
            for name in self._layers[1:]
        ]
        kernels.append(_filled(fuse[:, channels:], fill_subpixels, fill))
        kernels += [_filled(kernel, fill, fill_subpixels) for kernel in estimates]
        vectors = [F.pad(state[f"{name}.conv.bias"], (0, fill)) for name in self._layers]
        vectors += [F.pad(state[f"{name}.slope"], (0, fill)) for name in self._layers]
        vectors += [F.pad(state[f"estimate{i}.bias"], (0, fill_subpixels)) for i in (1, 2)]
        return torch.cat([kernel.permute(2, 3, 1, 0).reshape(-1) for kernel in kernels] + vectors)


def _filled(kernel: Tensor, inputs: int, outputs: int) -> Tensor:
    """Append inputs and outputs of zeros to a kernel (outputs, inputs, size, size)."""
    return F.pad(kernel, (0, 0, 0, 0, 0, inputs, 0, outputs)) if inputs or outputs else kernel


class _Details(torch.autograd.Function):
    """The library's two functions: details from packed weights, and back.

    Details are (crops, height, width, scale**2).
    """

    @staticmethod
    def forward(ctx: Any, packed: Tensor, low: Tensor, details: AmxDetails) -> tuple[Tensor, Tensor]:
        ctx.details, ctx.count = details, packed.numel()
        first, second = (torch.empty(details.crops, s, s, details.scale**2) for s in details.sides)
        details.library.emtcm_forward(
            details.native, packed.data_ptr(), low.data_ptr(), first.data_ptr(), second.data_ptr()
        )
        return first, second

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, first: Tensor, second: Tensor) -> tuple[Tensor, None, None]:
        details = ctx.details
        first, second = first.contiguous(), second.contiguous()
        packed = torch.empty(ctx.count)
        details.library.emtcm_backward(details.native, first.data_ptr(), second.data_ptr(), packed.data_ptr())
        return packed, None, None

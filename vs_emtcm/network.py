"""The EMTCM network as it is deployed: two stages of plain convolutions at low resolution.

Every convolution is "valid": the picture is extended once, mirrored over the receptive field, so that
the border, a tile and the inside of a picture all see the same arithmetic.

The network works on differences. The first kernel sums to zero, both estimates are held relative to
the pixel that they refine, and the biases of a trained network cancel on a flat field: a flat field
comes out as it went in, whatever its level.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vs_emtcm.mirror import mirrored
from vs_emtcm.resample import catmull_rom
from vs_emtcm.shape import BODY_SIZE, HEAD_SIZE, Shape, receptive_radius


def cubic_difference_kernel(scale: int) -> Tensor:
    """Return the kernels of a convolution that is Catmull-Rom interpolation minus the centre pixel.

    Returns:
        float32 of shape (scale**2, 1, 5, 5): one kernel per sub-pixel, in the order of
        ``pixel_shuffle``. Each kernel sums to zero.

    The cubic is sampled at the centre-aligned sub-pixel positions (i + 0.5) / scale - 0.5.
    """
    taps = torch.arange(HEAD_SIZE, dtype=torch.float64) - HEAD_SIZE // 2
    positions = (torch.arange(scale, dtype=torch.float64) + 0.5) / scale - 0.5
    rows = catmull_rom(taps[None, :] - positions[:, None])
    kernel = torch.einsum("ik,jl->ijkl", rows, rows).reshape(scale * scale, HEAD_SIZE, HEAD_SIZE)
    kernel[:, HEAD_SIZE // 2, HEAD_SIZE // 2] -= 1
    return kernel[:, None].float()


def crop(x: Tensor, border: int) -> Tensor:
    """Drop ``border`` pixels from each side of the last two dimensions."""
    return x[..., border : x.shape[-2] - border, border : x.shape[-1] - border]


class Layer(nn.Module):
    """A valid convolution and a PReLU with one slope per channel."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size)
        self.slope = nn.Parameter(torch.full((outputs,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to (N, inputs, H, W), giving (N, outputs, H - size + 1, W - size + 1)."""
        return F.prelu(self.conv(x), self.slope)


class Network(nn.Module):
    """The EMTCM network of one scale: luma (N, 1, H, W) in, (N, 1, scale*H, scale*W) out, float.

    Values are nominally 0..1 (code / 255 of 8-bit studio-range luma); they are not clamped.

    Args:
        scale: 2, 3 or 4.
        shape: the size of the network.
        stages: 1 stops after the first estimate, 2 refines it.
    """

    def __init__(self, scale: int, shape: Shape, stages: int = 2) -> None:
        super().__init__()
        if stages not in (1, 2):
            raise ValueError(f"stages is {stages}; accepted are 1 and 2")
        self.scale = scale
        self.stages = stages
        self.radius = receptive_radius(shape, stages)
        c, r2 = shape.channels, scale * scale
        self.head = Layer(1, c, HEAD_SIZE)
        self.body1 = nn.ModuleList(Layer(c, c, BODY_SIZE) for _ in range(shape.stage1))
        self.estimate1 = nn.Conv2d(c, r2, BODY_SIZE)
        if stages == 2:
            self.fuse = Layer(c + r2, c, BODY_SIZE)
            self.body2 = nn.ModuleList(Layer(c, c, BODY_SIZE) for _ in range(shape.stage2 - 1))
            self.estimate2 = nn.Conv2d(c, r2, BODY_SIZE)
        self.register_buffer("cubic", cubic_difference_kernel(scale), persistent=False)
        self.cubic: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Upscale whole pictures, mirrored at their edges."""
        return self.estimates(mirrored(x, self.radius))[-1]

    def estimates(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the upscaled estimate of every stage, for an input that brings its own border.

        Args:
            x: (N, 1, H + 2b, W + 2b) with b at least ``radius``.

        Returns:
            One (N, 1, scale*H', scale*W') per stage, each as large as its receptive field allows.
        """
        return tuple(assemble(x, detail, self.scale) for detail in self.details(x))

    def details(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the detail of every stage: what it adds to the pixels of the input, in sub-pixel form.

        A constant that is added to ``x`` does not change it.

        Args:
            x: (N, 1, H + 2b, W + 2b) with b at least ``radius``.

        Returns:
            One (N, scale**2, H', W') per stage, in the order of ``pixel_shuffle``.
        """
        head = self.head(x)
        features = head
        for layer in self.body1:
            features = layer(features)
        features = features + crop(head, len(self.body1))
        cubic = crop(F.conv2d(x, self.cubic), len(self.body1) + 1)
        detail = cubic + self.estimate1(features)
        if self.stages == 1:
            return (detail,)
        refined = self.fuse(torch.cat((crop(features, 1), detail), dim=1))
        skip = refined
        for layer in self.body2:
            refined = layer(refined)
        refined = refined + crop(skip, len(self.body2))
        border = (detail.shape[-1] - refined.shape[-1]) // 2 + 1
        return detail, crop(detail, border) + self.estimate2(refined)


class DetailNetwork(nn.Module):
    """The part of a network that engines of half precision run: the last stage's :meth:`Network.details`.

    Half precision cannot hold a picture of more than 10 bits, but it can hold the small detail.

    Args:
        network: gives the details.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Turn luma (1, 1, H + 2 * radius, W + 2 * radius) into detail (1, scale**2, H, W)."""
        return self.network.details(x)[-1]


def assemble(x: Tensor, detail: Tensor, scale: int) -> Tensor:
    """Add detail to the pixels of a picture, and arrange the sub-pixels as the upscaled picture.

    Args:
        x: (N, 1, H, W), with any border.
        detail: (N, scale**2, H', W'), see :meth:`Network.details`.
        scale: upscaling factor.

    Returns:
        (N, 1, scale*H', scale*W').
    """
    border = (x.shape[-1] - detail.shape[-1]) // 2
    return F.pixel_shuffle(crop(x, border) + detail, scale)


def assemble_at_once(x: Tensor, detail: Tensor, scale: int) -> Tensor:
    """Do the work of :func:`assemble` in a single pass over the result, for engines.

    It writes into memory that is there already, which autograd and the export to ONNX cannot follow.

    Args:
        x: float32 (N, 1, H, W), with any border.
        detail: float32 or float16 (N, scale**2, H', W'), see :meth:`Network.details`.
        scale: upscaling factor.

    Returns:
        float32 (N, 1, scale*H', scale*W').
    """
    border = (x.shape[-1] - detail.shape[-1]) // 2
    number, _, height, width = detail.shape
    result = x.new_empty((number, 1, height, scale, width, scale))
    sub_pixels = detail.view(number, 1, scale, scale, height, width).permute(0, 1, 4, 2, 5, 3)
    # Without ``out``, the sum would have the memory layout of the detail.
    torch.add(crop(x, border)[:, :, :, None, :, None], sub_pixels, out=result)
    return result.view(number, 1, height * scale, width * scale)

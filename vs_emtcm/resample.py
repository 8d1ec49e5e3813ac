"""Polyphase interpolation, such as Spline36 of chroma and alpha, as matrix products on any device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

RADIUS = 4
# Weights of samples by their distance, zero from RADIUS on.
type Kernel = Callable[[Tensor], Tensor]
# Samples whose phases one matrix product makes: the fewer, the less is multiplied by zero.
BLOCK = 8
# Samples that are worked on at once: their blocks overlap, and may be larger in double precision.
CPU_BAND, GPU_BAND = 1 << 17, 1 << 22
# The same of a plane and what is made of it.
CPU_ROWS, GPU_ROWS = 1 << 16, 1 << 22


def spline36(distance: Tensor) -> Tensor:
    """The Spline36 kernel (Panorama Tools, H. Dersch), zero from a distance of 3 on."""
    d = distance.abs()
    near = ((13 / 11 * d - 453 / 209) * d - 3 / 209) * d + 1
    e = d - 1
    middle = ((-6 / 11 * e + 270 / 209) * e - 156 / 209) * e
    e = d - 2
    far = ((1 / 11 * e - 45 / 209) * e + 26 / 209) * e
    outer = torch.where(d < 3, far, torch.zeros_like(d))
    return torch.where(d < 1, near, torch.where(d < 2, middle, outer))


def catmull_rom(distance: Tensor) -> Tensor:
    """Keys' cubic kernel with a = -0.5 (IEEE ASSP 29(6), 1981), zero from a distance of 2 on."""
    d = distance.abs()
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


def b_spline(distance: Tensor) -> Tensor:
    """The cubic B-spline, zero from a distance of 2 on: it smooths what it interpolates."""
    d = distance.abs()
    near = (d / 2 - 1) * d * d + 2 / 3
    return torch.where(d <= 1, near, (2 - d).clamp(min=0) ** 3 / 6)


def product_dtype(device: torch.device) -> torch.dtype:
    """Of the numbers that are multiplied: double where a GPU would take ten bits of single ones (TF32).

    Which it does once a program asks for it, for itself and all others of the process.
    """
    tensor_float = device.type == "cuda" and torch.backends.cuda.matmul.fp32_precision == "tf32"
    return torch.float64 if tensor_float else torch.float32


@cache
def block_matrix(
    scale: int, shift: float, kernel: Kernel, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """From a block of samples to its phases, as differences to the sample that each belongs to.

    Differences keep a flat field flat, to one unit in the last place of a float.

    Args:
        scale: upscaling factor.
        shift: see :func:`upscale`.
        kernel: of the interpolation.
        device: where it is used.

    Returns:
        (BLOCK + 2 * RADIUS, scale * BLOCK): a block with its surroundings times this is ``scale`` phases of
        its first sample, of its second, and so on.
    """
    phases = torch.arange(scale, dtype=torch.float64, device="cpu")
    # Output sample j lies at (j + 0.5 + shift) / scale - 0.5 - shift in input samples.
    positions = (phases + 0.5 + shift) / scale - 0.5 - shift
    taps = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64, device="cpu")
    kernels = kernel(taps[None, :] - positions[:, None])
    kernels /= kernels.sum(dim=1, keepdim=True)
    kernels[:, RADIUS] -= 1
    matrix = torch.zeros(BLOCK + 2 * RADIUS, BLOCK, scale, dtype=torch.float64, device="cpu")
    for sample in range(BLOCK):
        matrix[sample : sample + 2 * RADIUS + 1, sample] = kernels.T
    return matrix.flatten(1).to(device, dtype)


def _blocks(samples: int) -> tuple[int, int]:
    """How many blocks so many samples are, and how many samples the last one lacks."""
    number = -(-samples // BLOCK)
    return number, number * BLOCK - samples


def _stretch_columns(plane: Tensor, matrix: Tensor, scale: int) -> Tensor:
    height, width = plane.shape
    blocks, lacking = _blocks(height)
    padded = F.pad(plane[None], (0, 0, RADIUS, RADIUS + lacking), mode="replicate")[0].to(matrix.dtype)
    result = plane.new_empty((height, scale, width))
    columns = max(1, (GPU_BAND if plane.is_cuda else CPU_BAND) // height)
    for start in range(0, width, columns):
        band = plane[:, start : start + columns]
        size = blocks, len(matrix), band.shape[1]
        spans = padded.as_strided(size, (BLOCK * width, width, 1), start)
        differences = (matrix.T @ spans).float().reshape(-1, scale, band.shape[1])[:height]
        torch.add(differences, band[:, None], out=result[..., start : start + columns])
    return result.reshape(height * scale, width)


def _stretch_rows(plane: Tensor, matrix: Tensor, scale: int) -> Tensor:
    height, width = plane.shape
    blocks, lacking = _blocks(width)
    result = plane.new_empty((height, width, scale))
    rows = max(1, (GPU_BAND if plane.is_cuda else CPU_BAND) // width)
    for start in range(0, height, rows):
        band = plane[start : start + rows]
        padded = F.pad(band[None], (RADIUS, RADIUS + lacking), mode="replicate")[0].to(matrix.dtype)
        spans = padded.as_strided((len(band), blocks, len(matrix)), (padded.shape[1], BLOCK, 1))
        # One product of all blocks: a product for each row copies them as well, and takes twice as long.
        differences = (spans.reshape(-1, len(matrix)) @ matrix).float()
        differences = differences.reshape(len(band), -1, scale)[:, :width]
        torch.add(differences, band[..., None], out=result[start : start + rows])
    return result.reshape(height, width * scale)


def upscale(
    plane: Tensor, scale: int, shift: tuple[float, float] = (0.0, 0.0), kernel: Kernel = spline36
) -> Tensor:
    """Interpolate a plane; edges are replicated.

    Args:
        plane: (1, 1, H, W) float32.
        scale: upscaling factor.
        shift: (horizontal, vertical) distance of the samples from where those of luma would lie, the same
            before and after, each in its own samples; see :func:`vs_emtcm.chroma.chroma_shift`.
        kernel: of the interpolation.

    Returns:
        (1, 1, scale * H, scale * W) float32.
    """
    dtype = product_dtype(plane.device)
    across, down = (block_matrix(scale, part, kernel, plane.device, dtype) for part in shift)
    return _stretch_rows(_stretch_columns(plane[0, 0], down, scale), across, scale)[None, None]


def add_upscaled(
    target: Tensor, plane: Tensor, scale: int, shift: tuple[float, float] = (0.0, 0.0), *, factor: float
) -> Tensor:
    """Add ``factor`` times a plane's interpolation by Spline36, band by band; ``target`` is overwritten.

    Args:
        target: (1, 1, scale * H, scale * W) float32, less what an odd size does not fill.
        plane: (1, 1, H, W) float32.
        scale: upscaling factor.
        shift: see :func:`upscale`.
        factor: of what is added.
    """
    for band in bands(plane):
        rows = target[..., band.result_rows(scale), :]
        rows.add_(band.cropped(upscale(plane[..., band.seen, :], scale, shift), scale, rows), alpha=factor)
    return target


@dataclass(frozen=True, kw_only=True)
class Band:
    """Rows of a plane that are upscaled at once, and those around them that kernels see.

    Attributes:
        top, end: the rows.
        seen: with those around them.
    """

    top: int
    end: int
    seen: slice

    def result_rows(self, scale: int) -> slice:
        """The rows that they become."""
        return slice(scale * self.top, scale * self.end)

    def cropped(self, upscaled: Tensor, scale: int, wanted: Tensor) -> Tensor:
        """Of what the rows seen became, that part."""
        skip = scale * (self.top - self.seen.start)
        return upscaled[..., skip : skip + wanted.shape[2], : wanted.shape[3]]


def bands(plane: Tensor) -> Iterator[Band]:
    """The bands of a plane (1, 1, H, W) that are upscaled one after the other."""
    height, width = plane.shape[-2:]
    rows = max(1, (GPU_ROWS if plane.is_cuda else CPU_ROWS) // width)
    for top in range(0, height, rows):
        end = min(height, top + rows)
        seen = slice(max(0, top - RADIUS), min(height, end + RADIUS))
        yield Band(top=top, end=end, seen=seen)

"""Interpolate planes by polyphase filters, such as Spline36, as matrix products on any device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

# A kernel gives the weights of samples by their distance in samples, zero from RADIUS on.
type Kernel = Callable[[Tensor], Tensor]
# Distance, in samples, from which all kernels are zero.
RADIUS = 4
# Consecutive samples that share a matrix. Smaller blocks have fewer zeros in it, but overlap more.
BLOCK = 8
# Samples of a plane in one matrix product on a CPU. Its operands are copies: overlapping blocks, and of twice
# the size in double precision.
CPU_PRODUCT_SAMPLES = 1 << 17
# Samples of a plane in one matrix product on a GPU.
GPU_PRODUCT_SAMPLES = 1 << 22
# Samples of a plane in a band, see :func:`bands`, on a CPU.
CPU_BAND_SAMPLES = 1 << 16
# Samples of a plane in a band on a GPU.
GPU_BAND_SAMPLES = 1 << 22


def spline36(distance: Tensor) -> Tensor:
    """Return the weights of the Spline36 kernel (Panorama Tools, H. Dersch), zero from a distance of 3 on."""
    d = distance.abs()
    near = ((13 / 11 * d - 453 / 209) * d - 3 / 209) * d + 1
    e = d - 1
    middle = ((-6 / 11 * e + 270 / 209) * e - 156 / 209) * e
    e = d - 2
    far = ((1 / 11 * e - 45 / 209) * e + 26 / 209) * e
    outer = torch.where(d < 3, far, torch.zeros_like(d))
    return torch.where(d < 1, near, torch.where(d < 2, middle, outer))


def catmull_rom(distance: Tensor) -> Tensor:
    """Return the weights of Keys' cubic kernel with a = -0.5 (IEEE ASSP 29(6), 1981).

    They are zero from a distance of 2 on.
    """
    d = distance.abs()
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


def b_spline(distance: Tensor) -> Tensor:
    """Return the weights of the cubic B-spline, which smooths as it interpolates.

    They are zero from a distance of 2 on.
    """
    d = distance.abs()
    near = (d / 2 - 1) * d * d + 2 / 3
    return torch.where(d <= 1, near, (2 - d).clamp(min=0) ** 3 / 6)


def product_dtype(device: torch.device) -> torch.dtype:
    """Return the dtype of matrix products: float32, or float64 where a GPU would round float32 to TF32.

    TF32 keeps ten bits of the mantissa. Any part of a program can turn it on for the whole process.
    """
    tensor_float = device.type == "cuda" and torch.backends.cuda.matmul.fp32_precision == "tf32"
    return torch.float64 if tensor_float else torch.float32


@cache
def block_matrix(
    scale: int, shift: float, kernel: Kernel, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Return the matrix that interpolates a block of samples.

    It gives the differences of the new samples to the sample that each belongs to: these keep a flat field
    flat, to one unit in the last place of a float.

    Args:
        scale: upscaling factor, and so the number of new samples, or phases, of each sample.
        shift: see :func:`upscale`, in one direction.
        kernel: of the interpolation.
        device: where the matrix is used.
        dtype: see :func:`product_dtype`.

    Returns:
        (BLOCK + 2 * RADIUS, scale * BLOCK): a block with RADIUS samples around it, times this matrix, is the
        ``scale`` phases of its first sample, then those of its second, and so on.
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
    """Return the number of blocks that hold so many samples, and how many samples the last one lacks."""
    number = -(-samples // BLOCK)
    return number, number * BLOCK - samples


def _stretch_columns(plane: Tensor, matrix: Tensor, scale: int) -> Tensor:
    """Interpolate (H, W) vertically to (scale * H, W), some columns at once."""
    height, width = plane.shape
    blocks, lacking = _blocks(height)
    padded = F.pad(plane[None], (0, 0, RADIUS, RADIUS + lacking), mode="replicate")[0].to(matrix.dtype)
    result = plane.new_empty((height, scale, width))
    columns = max(1, (GPU_PRODUCT_SAMPLES if plane.is_cuda else CPU_PRODUCT_SAMPLES) // height)
    for start in range(0, width, columns):
        strip = plane[:, start : start + columns]
        size = blocks, len(matrix), strip.shape[1]
        spans = padded.as_strided(size, (BLOCK * width, width, 1), start)
        differences = (matrix.T @ spans).float().reshape(-1, scale, strip.shape[1])[:height]
        torch.add(differences, strip[:, None], out=result[..., start : start + columns])
    return result.reshape(height * scale, width)


def _stretch_rows(plane: Tensor, matrix: Tensor, scale: int) -> Tensor:
    """Interpolate (H, W) horizontally to (H, scale * W), some rows at once."""
    height, width = plane.shape
    blocks, lacking = _blocks(width)
    result = plane.new_empty((height, width, scale))
    rows = max(1, (GPU_PRODUCT_SAMPLES if plane.is_cuda else CPU_PRODUCT_SAMPLES) // width)
    for start in range(0, height, rows):
        strip = plane[start : start + rows]
        padded = F.pad(strip[None], (RADIUS, RADIUS + lacking), mode="replicate")[0].to(matrix.dtype)
        spans = padded.as_strided((len(strip), blocks, len(matrix)), (padded.shape[1], BLOCK, 1))
        # One product for all rows: batched products, one for each row, copy as much and take twice as long.
        differences = (spans.reshape(-1, len(matrix)) @ matrix).float()
        differences = differences.reshape(len(strip), -1, scale)[:, :width]
        torch.add(differences, strip[..., None], out=result[start : start + rows])
    return result.reshape(height, width * scale)


def upscale(
    plane: Tensor, scale: int, shift: tuple[float, float] = (0.0, 0.0), kernel: Kernel = spline36
) -> Tensor:
    """Interpolate a plane; edges are replicated.

    Args:
        plane: (1, 1, H, W) float32.
        scale: upscaling factor.
        shift: (horizontal, vertical) distance of the samples from the centre of the luma that they belong to,
            before as well as after upscaling, in samples of the plane and of the result; see
            :func:`vs_emtcm.chroma.chroma_shift`.
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
    """Add ``factor`` times a plane, interpolated by Spline36, to ``target``, which is overwritten.

    Args:
        target: (1, 1, scale * H, scale * W) float32, less what an odd size does not fill.
        plane: (1, 1, H, W) float32.
        scale: upscaling factor.
        shift: see :func:`upscale`.
        factor: of the interpolated plane.

    Returns:
        ``target``.
    """
    for band in bands(plane):
        rows = target[..., band.result_rows(scale), :]
        rows.add_(band.cropped(upscale(plane[..., band.seen, :], scale, shift), scale, rows), alpha=factor)
    return target


@dataclass(frozen=True, kw_only=True)
class Band:
    """Rows of a plane that are worked on at once.

    Attributes:
        top: the first row.
        end: the row after the last.
        seen: the rows with RADIUS more on both sides, as far as there are any, which kernels see.
    """

    top: int
    end: int
    seen: slice

    def result_rows(self, scale: int) -> slice:
        """Return the rows of the upscaled plane that the band becomes."""
        return slice(scale * self.top, scale * self.end)

    def cropped(self, upscaled: Tensor, scale: int, wanted: Tensor) -> Tensor:
        """Cut from ``upscaled``, the upscaled rows of ``seen``, the part that the band becomes.

        Args:
            upscaled: (1, 1, scale * rows of ``seen``, at least the width of ``wanted``).
            scale: upscaling factor, or 1.
            wanted: of the size of the part.
        """
        skip = scale * (self.top - self.seen.start)
        return upscaled[..., skip : skip + wanted.shape[2], : wanted.shape[3]]


def bands(plane: Tensor) -> Iterator[Band]:
    """Cut a plane (1, 1, H, W) into bands, so that intermediate results stay small, and in a CPU's cache."""
    height, width = plane.shape[-2:]
    rows = max(1, (GPU_BAND_SAMPLES if plane.is_cuda else CPU_BAND_SAMPLES) // width)
    for top in range(0, height, rows):
        end = min(height, top + rows)
        seen = slice(max(0, top - RADIUS), min(height, end + RADIUS))
        yield Band(top=top, end=end, seen=seen)

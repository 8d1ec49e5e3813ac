"""Upscale the planes of a frame on its device: code values in, code values of the larger planes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from torch import Tensor

from vs_emtcm import chroma, noise, resample
from vs_emtcm.alpha import filled_behind
from vs_emtcm.formats import LUMA_WEIGHTS, ChromaLocation, Color, Matrix, PixelFormat
from vs_emtcm.samples import from_network, luma_slope_and_offset, to_network


def filled(sources: Sequence[Tensor], format: PixelFormat, radius: int, *, denoises: bool) -> list[Tensor]:
    """Give transparent pixels the colours beside them, as far as they would show in the upscaled frame.

    This looks at values, and so it waits for the device: a CUDA graph cannot hold it.

    Args:
        sources: float32 (1, 1, H, W) of code values each, in the order of ``format``.
        format: of the frame, with alpha.
        radius: receptive radius of the network, in input pixels.
        denoises: the network removes noise, see :mod:`vs_emtcm.noise`.

    Returns:
        The planes, alpha as it was.
    """
    # Opacity is interpolated, and reaches a little into what was transparent.
    distance = radius + resample.RADIUS
    if denoises:
        # REACH is in samples of chroma; one more reaches the far end of the luma that the last one covers.
        distance += (noise.REACH + 1) << max(format.subsampling)
    return filled_behind(sources, format.subsampling, distance)


def upscaled_planes(
    sources: Sequence[Tensor],
    format: PixelFormat,
    color: Color,
    network: Callable[[Tensor], Tensor],
    *,
    scale: int,
    denoises: bool,
) -> Iterator[Tensor]:
    """Upscale luma by the network, chroma or colours along luma, and alpha by interpolation.

    The planes are computed one by one: take each out of the iterator only when the one before is no longer
    needed, so that few are in memory at once. The caller may overwrite them.

    Args:
        sources: float32 (1, 1, H, W) of code values each, in the order of ``format``; see :func:`filled`.
        format: of the frame.
        color: what its samples mean.
        network: upscales luma, (1, 1, H, W) in the units of :class:`vs_emtcm.engines.engine.Engine`, and
            brings the border that an engine needs.
        scale: upscaling factor.
        denoises: the network removes noise, see :mod:`vs_emtcm.noise`.

    Returns:
        Float32 code values (1, 1, scale * H, scale * W) of one plane after the other; chroma is as large as
        the larger picture needs.
    """
    slope, offset = luma_slope_and_offset(format, color.range_in(format.family))
    code_step = 1 / (255 * slope)
    source = _luma_of_rgb(sources, color.matrix) if format.family == "rgb" else sources[0]
    upscaled = from_network(network(to_network(source, slope, offset)), slope, offset)
    if denoises:
        opacity = sources[-1] if format.alpha else None
        luma = _restored(source, upscaled, opacity, scale, code_step)
    else:
        luma = _Luma(source=source, denoised=source, residual=None, upscaled=upscaled)
    # This function is no generator: once it has returned, only the generators keep luma in memory.
    planes: Iterator[Tensor]
    if format.family == "rgb":
        planes = _rgb_planes(sources[:3], luma, scale, code_step)
    elif format.family == "yuv":
        planes = _yuv_planes(sources, luma, format.subsampling, color.chroma_location, scale, code_step)
    else:
        planes = iter((luma.upscaled,))
    return chain(planes, _interpolated(sources[-1], scale)) if format.alpha else planes


@dataclass(frozen=True, kw_only=True)
class _Luma:
    """Luma of a frame, float32 code values.

    Attributes:
        source: (1, 1, H, W), as it came.
        denoised: (1, 1, H, W), without its noise; ``source`` where the network leaves noise as it is.
        residual: (1, 1, H, W), ``source`` minus ``denoised``; None where the network leaves noise as it is.
        upscaled: (1, 1, scale * H, scale * W).
    """

    source: Tensor
    denoised: Tensor
    residual: Tensor | None
    upscaled: Tensor


def _luma_of_rgb(sources: Sequence[Tensor], matrix: Matrix) -> Tensor:
    red, blue = LUMA_WEIGHTS[matrix]
    return red * sources[0] + (1 - red - blue) * sources[1] + blue * sources[2]


def _restored(
    source: Tensor, upscaled: Tensor, opacity: Tensor | None, scale: int, code_step: float
) -> _Luma:
    """Restore faint detail in luma that a network has denoised and upscaled; ``upscaled`` is overwritten."""
    denoised = noise.block_means(upscaled, scale)
    residual = source - denoised
    # Noise of transparent pixels does not show, and must not count for the rest.
    visible = residual if opacity is None else residual.masked_fill(~(opacity > 0), 0)
    floor = noise.noise_floor(visible, code_step)
    upscaled = noise.restore_detail(upscaled, denoised, residual, floor, scale, code_step)
    return _Luma(source=source, denoised=denoised, residual=residual, upscaled=upscaled)


def _rgb_planes(channels: Sequence[Tensor], luma: _Luma, scale: int, code_step: float) -> Iterator[Tensor]:
    """Upscale red, green and blue: each is luma plus a difference, which is treated as chroma."""
    source, denoised = luma.source, luma.denoised
    guide = chroma.luma_guide(denoised, luma.upscaled, scale, (0.0, 0.0), code_step)
    statistics = None
    if luma.residual is not None:
        statistics = noise.luma_statistics(denoised, luma.residual, code_step)
    # Frees the residual. Upscaled luma has become the guide's detail.
    del luma
    for channel in channels:
        if statistics is not None:
            channel = denoised + noise.denoise_chroma(channel - source, statistics, code_step)
        yield chroma.upscale_channel(channel, denoised, guide, scale, code_step)


def _yuv_planes(
    sources: Sequence[Tensor],
    luma: _Luma,
    subsampling: tuple[int, int],
    location: ChromaLocation,
    scale: int,
    code_step: float,
) -> Iterator[Tensor]:
    """Return upscaled luma, then upscale U and V along it."""
    denoised = chroma.luma_at_chroma(luma.denoised, subsampling, location)
    upscaled = chroma.luma_at_chroma(luma.upscaled, subsampling, location)
    statistics = None
    if luma.residual is not None:
        residual = chroma.luma_at_chroma(luma.residual, subsampling, location)
        statistics = noise.luma_statistics(denoised, residual, code_step)
        del residual
    yield luma.upscaled
    # Frees upscaled luma, the largest plane of all, before chroma is worked on.
    del luma
    shift = chroma.chroma_shift(subsampling, location)
    guide = chroma.luma_guide(denoised, upscaled, scale, shift, code_step)
    for plane in sources[1:3]:
        if statistics is not None:
            plane = noise.denoise_chroma(plane, statistics, code_step)
        yield chroma.upscale(plane, guide, scale, shift, code_step)


def _interpolated(opacity: Tensor, scale: int) -> Iterator[Tensor]:
    """Upscale opacity only when it is asked for."""
    yield resample.upscale(opacity, scale)

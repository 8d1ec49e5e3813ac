"""The way of a frame on its device, from code values of its planes to those of the larger planes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from vs_emtcm import chroma, noise, resample
from vs_emtcm.alpha import filled_behind
from vs_emtcm.chroma import luma_at_chroma, luma_guide
from vs_emtcm.noise import clean_luma, without_noise
from vs_emtcm.planes import (
    LUMA_WEIGHTS,
    Color,
    PixelFormat,
    from_network,
    luma_slope_and_offset,
    to_network,
)


def filled(sources: Sequence[Tensor], format: PixelFormat, radius: int, *, takes_noise: bool) -> list[Tensor]:
    """The planes of a frame, with colours behind what is transparent as far as they would show beside it.

    This looks at values, and waits for the device.

    Args:
        sources: float32 (1, 1, H, W) of code values each, in the order of ``format``.
        format: of the samples that they were, with alpha.
        radius: how far the network sees, in input pixels.
        takes_noise: the network takes noise away, see :mod:`vs_emtcm.noise`.
    """
    # Opacity reaches a little into what was transparent.
    distance = radius + resample.RADIUS
    if takes_noise:
        # In samples of chroma, and from the far end of one.
        distance += (noise.REACH + 1) << max(format.subsampling)
    return filled_behind(sources, format.subsampling, distance)


def upscaled_planes(
    sources: Sequence[Tensor],
    format: PixelFormat,
    color: Color,
    network: Callable[[Tensor], Tensor],
    *,
    scale: int,
    takes_noise: bool,
) -> Iterator[Tensor]:
    """Upscale the planes of a frame: luma by the network, the rest along luma.

    Args:
        sources: float32 (1, 1, H, W) of code values each, in the order of ``format``; see :func:`filled`.
        format: of the samples that they were.
        color: what they mean.
        network: upscales luma, see :class:`vs_emtcm.engines.engine.Engine`; it brings the border.
        scale: upscaling factor.
        takes_noise: the network takes noise away, see :mod:`vs_emtcm.noise`.

    Returns:
        Code values (1, 1, scale * H, scale * W) of one plane after the other; chroma is as large as the
        larger picture needs.
    """
    slope, offset = luma_slope_and_offset(format, color.range_in(format.family))
    code = 1 / (255 * slope)
    if format.family == "rgb":
        red, blue = LUMA_WEIGHTS[color.matrix]
        luma = red * sources[0] + (1 - red - blue) * sources[1] + blue * sources[2]
    else:
        luma = sources[0]
    upscaled = from_network(network(to_network(luma, slope, offset)), slope, offset)
    before, taken = luma, None
    if takes_noise:
        before = noise.reduced(upscaled, scale)
        taken = luma - before
        # The noise of what is hidden does not show in the rest.
        seen = taken.masked_fill(~(sources[-1] > 0), 0) if format.alpha else taken
        floor = noise.noise_floor(seen, code)
        upscaled = noise.put_back(upscaled, before, taken, floor, scale, code)
    if format.family == "rgb":
        guide = luma_guide(before, upscaled, scale, (0.0, 0.0), code)
        clean = None if taken is None else clean_luma(before, taken, code)
        del upscaled, taken
        for source in sources[:3]:
            # Every channel is luma plus a difference, which is chroma.
            channel = source if clean is None else before + without_noise(source - luma, clean, code)
            yield chroma.upscale_channel(channel, before, guide, scale, code)
    elif format.family == "yuv":
        place = format.subsampling, color.chroma_location
        shift = chroma.chroma_shift(*place)
        at, after = luma_at_chroma(before, *place), luma_at_chroma(upscaled, *place)
        clean = None if taken is None else clean_luma(at, luma_at_chroma(taken, *place), code)
        yield upscaled
        del upscaled, taken
        guide = luma_guide(at, after, scale, shift, code)
        for source in sources[1:3]:
            plane = source if clean is None else without_noise(source, clean, code)
            yield chroma.upscale(plane, guide, scale, shift, code)
    else:
        yield upscaled
    if format.alpha:
        yield resample.upscale(sources[-1], scale)

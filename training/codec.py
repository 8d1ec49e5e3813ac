"""What a video does to a picture: blur, noise, and a real encoder."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from training.cache import Pair, Plane
from training.imresize import downscale, to_8bit

type Yuv = tuple[Plane, Plane, Plane]
FRAMES = 5
# Largest pan per frame, in high-resolution pixels.
MAXIMUM_PAN = 4
# Of noisy pictures, in 8-bit code values: from what is hardly seen to that of pushed film.
NOISE = (0.5, 14.0)
# Encoders whose quality is a constant rate factor; that of the others is a quantiser.
CRF_ENCODERS = ("libx264", "libx265")


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """What happens between a sharp picture and what a decoder gives out.

    Attributes:
        encoder: FFmpeg encoder, or None for no compression.
        quality: its CRF or quantiser.
        blur: Gaussian sigma before downscaling, in high-resolution pixels.
        noise: Gaussian sigma after downscaling, in 8-bit code values.
        grain: how much of its neighbours' noise each sample has, 0 (white noise) to 1.
        frame: which frame of the short panning clip is taken: 0 is intra coded.
    """

    encoder: str | None
    quality: int
    blur: float
    noise: float
    grain: float
    frame: int


def draw_degradation(rng: np.random.Generator) -> Degradation:
    """Mostly x264 and x265 at visible to strong compression, some MPEG-4 and MPEG-2, some none.

    Two of five are noisy, few of these much: the logarithm of the noise is drawn evenly.
    """
    encoders = np.array(["libx264", "libx265", "mpeg4", "mpeg2video", "none"])
    encoder = rng.choice(encoders, p=[0.5, 0.2, 0.08, 0.07, 0.15])
    low, high = (16, 33) if encoder in CRF_ENCODERS else (2, 7)
    return Degradation(
        encoder=None if encoder == "none" else str(encoder),
        quality=int(rng.integers(low, high)),
        blur=float(rng.uniform(0.3, 0.9)) if rng.random() < 0.2 else 0.0,
        noise=float(np.exp(rng.uniform(*np.log(NOISE)))) if rng.random() < 0.4 else 0.0,
        grain=float(rng.uniform(0, 0.6)) if rng.random() < 0.5 else 0.0,
        frame=0 if rng.random() < 0.3 else int(rng.integers(1, FRAMES)),
    )


def degraded_pair(luma: Plane, scale: int, degradation: Degradation, rng: np.random.Generator) -> Pair:
    """A window of a picture, and what a panning video of it shows after decoding.

    Args:
        luma: (H, W); at least ``16 * scale`` larger than the pan on each side.
        scale: the downscaling factor.
        degradation: what happens to it.
        rng: for pan and noise.
    """
    pan = rng.integers(-MAXIMUM_PAN, MAXIMUM_PAN + 1, size=2)
    travel = np.abs(pan) * (FRAMES - 1)
    # Encoders want even sizes.
    unit = 2 * scale
    height, width = ((n - t) // unit * unit for n, t in zip(luma.shape, travel, strict=True))
    blurred = _blur(luma, degradation.blur)
    lows: list[Plane] = []
    windows: list[tuple[slice, slice]] = []
    for frame in range(FRAMES):
        start = [p * frame if p >= 0 else t + p * frame for p, t in zip(pan, travel, strict=True)]
        window = slice(start[0], start[0] + height), slice(start[1], start[1] + width)
        low = downscale(blurred[window], scale)
        if degradation.noise:
            low = low + degradation.noise * _unit_noise(low.shape, degradation.grain, rng)
        lows.append(to_8bit(low))
        windows.append(window)
    if degradation.encoder is not None:
        lows = encode_and_decode(lows, degradation.encoder, degradation.quality)
    return Pair(scale=scale, low=lows[degradation.frame], high=luma[windows[degradation.frame]])


def _unit_noise(shape: tuple[int, ...], grain: float, rng: np.random.Generator) -> NDArray[np.float64]:
    noise = rng.standard_normal(shape)
    for axis in (0, 1):
        noise = noise + grain * (np.roll(noise, 1, axis) + np.roll(noise, -1, axis))
    return noise / (1 + 2 * grain**2)


def encode_and_decode(frames: list[Plane], encoder: str, quality: int) -> list[Plane]:
    """Luma frames after a round trip through an encoder.

    Args:
        frames: (H, W) each, H and W even.
        encoder, quality: see :func:`encode_and_decode_yuv`.
    """
    neutral = np.full([n // 2 for n in frames[0].shape], 128, np.uint8)
    coded = encode_and_decode_yuv([(luma, neutral, neutral) for luma in frames], encoder, quality)
    return [luma for luma, _, _ in coded]


def encode_and_decode_yuv(frames: list[Yuv], encoder: str, quality: int) -> list[Yuv]:
    """4:2:0 frames after a round trip through an encoder.

    Args:
        frames: Y (H, W), U and V (H / 2, W / 2) each, H and W even.
        encoder: one of ``CRF_ENCODERS`` (quality is the CRF) or another FFmpeg encoder (the quantiser).
    """
    height, width = frames[0][0].shape
    buffer = io.BytesIO()
    if encoder in CRF_ENCODERS:
        options = {"crf": str(quality)}
    else:
        options = {"qmin": str(quality), "qmax": str(quality)}
    if encoder == "libx264":
        # With assembly, its macroblock tree gives other bits from run to run.
        options["x264-params"] = "asm=0"
    if encoder == "libx265":
        options["x265-params"] = "log-level=error:pools=1"
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream(encoder, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        for planes in frames:
            packed = np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, width)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(packed, "yuv420p")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as decoded:
        decoded.streams.video[0].codec_context.thread_count = 1
        return [
            _planes(frame.to_ndarray().astype(np.uint8), height, width) for frame in decoded.decode(video=0)
        ]


def _planes(packed: NDArray[np.uint8], height: int, width: int) -> Yuv:
    luma, u, v = np.split(packed.reshape(-1), [height * width, height * width * 5 // 4])
    chroma = height // 2, width // 2
    return luma.reshape(height, width), u.reshape(chroma), v.reshape(chroma)


def _blur(luma: Plane, sigma: float) -> NDArray[np.uint8]:
    if sigma == 0:
        return luma
    return np.asarray(Image.fromarray(luma).filter(ImageFilter.GaussianBlur(sigma)))

"""Training pairs for video: what blur, noise and a real encoder do to a picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from training.codec import CRF_ENCODERS, encode_and_decode
from training.config import Tune
from training.imresize import downscale, to_8bit
from training.pairs import SMALLEST_SIDE, Pair, Plane

# Length of the panning clip that is made of a picture.
FRAMES = 5
# Largest pan per frame, in high-resolution pixels.
MAXIMUM_PAN = 4
# Weakest and strongest noise of noisy pictures, in 8-bit code values: from hardly visible to pushed film.
NOISE_RANGE = (0.5, 14.0)


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """What happens between a sharp picture and what a decoder gives out.

    Attributes:
        encoder: FFmpeg's encoder, or None for no compression.
        quality: its CRF or quantiser.
        blur: Gaussian sigma before downscaling, in high-resolution pixels.
        noise: Gaussian sigma after downscaling, in 8-bit code values.
        grain: how much of its neighbours' noise each sample has, 0 (white noise) to 1.
        frame: which frame of the panning clip is taken, 0 to ``FRAMES - 1``; 0 is intra coded.
    """

    encoder: str | None
    quality: int
    blur: float
    noise: float
    grain: float
    frame: int


def draw_degradation(rng: np.random.Generator) -> Degradation:
    """Draw a random degradation.

    Most are x264 and x265 at visible to strong compression, some MPEG-4 and MPEG-2, some uncompressed. Two of
    five are noisy; the logarithm of the noise is uniform, so that little noise is more frequent than much.
    """
    encoders = np.array(["libx264", "libx265", "mpeg4", "mpeg2video", "none"])
    encoder = rng.choice(encoders, p=[0.5, 0.2, 0.08, 0.07, 0.15])
    low, high = (16, 33) if encoder in CRF_ENCODERS else (2, 7)
    return Degradation(
        encoder=None if encoder == "none" else str(encoder),
        quality=int(rng.integers(low, high)),
        blur=float(rng.uniform(0.3, 0.9)) if rng.random() < 0.2 else 0.0,
        noise=float(np.exp(rng.uniform(*np.log(NOISE_RANGE)))) if rng.random() < 0.4 else 0.0,
        grain=float(rng.uniform(0, 0.6)) if rng.random() < 0.5 else 0.0,
        frame=0 if rng.random() < 0.3 else int(rng.integers(1, FRAMES)),
    )


def degraded_pair(luma: Plane, scale: int, degradation: Degradation, rng: np.random.Generator) -> Pair:
    """Return a window of a picture, and the same window in a decoded video that pans over the picture.

    Args:
        luma: (H, W) uint8; each side at least ``16 * scale`` larger than the whole pan.
        scale: the downscaling factor.
        degradation: what happens to the video.
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


@dataclass(frozen=True, kw_only=True)
class VideoPairs:
    """Pairs of pictures and frames of real encodes of them; a :class:`training.pairs.PairMaker`.

    Attributes:
        tune: see :class:`training.pairs.PairMaker`.
        encodes: how often each picture is encoded, each time in another way.
    """

    tune: ClassVar[Tune] = "video"
    encodes: int = 1

    def smallest_side(self, scale: int) -> int:
        """See :meth:`training.pairs.PairMaker.smallest_side`."""
        return (SMALLEST_SIDE + 2) * scale + MAXIMUM_PAN * (FRAMES - 1)

    def pairs(self, luma: Plane, scale: int) -> Iterator[Pair]:
        """See :meth:`training.pairs.PairMaker.pairs`."""
        # Seeded by what the picture shows, so that the same pictures always give the same cache, and pictures
        # of one name in two folders are degraded differently.
        digest = hashlib.sha256(luma.tobytes()).digest()
        for number in range(self.encodes):
            # The first encode's seed does not depend on how many there are.
            rng = np.random.default_rng([int.from_bytes(digest), *luma.shape, scale, number])
            yield degraded_pair(luma, scale, draw_degradation(rng), rng)


def _unit_noise(shape: tuple[int, ...], grain: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw noise of standard deviation 1; see :class:`Degradation` for ``grain``."""
    noise = rng.standard_normal(shape)
    for axis in (0, 1):
        noise = noise + grain * (np.roll(noise, 1, axis) + np.roll(noise, -1, axis))
    return noise / (1 + 2 * grain**2)


def _blur(luma: Plane, sigma: float) -> NDArray[np.uint8]:
    if sigma == 0:
        return luma
    return np.asarray(Image.fromarray(luma).filter(ImageFilter.GaussianBlur(sigma)))

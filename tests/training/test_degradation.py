"""Real encoders, blur and noise damage the low-resolution pictures of "video"."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tests.material import codes
from training.degradation import FRAMES, Degradation, degraded_pair, draw_degradation
from training.imresize import downscale, to_8bit
from training.metrics import psnr


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_degraded_pairs_stay_aligned(scale, seed):
    luma = to_8bit(np.asarray(Image.fromarray(codes(40, 40)).resize((300, 280)), float))
    rng = np.random.default_rng(seed)
    pair = degraded_pair(luma, scale, draw_degradation(rng), rng)
    assert pair.high.shape == (scale * pair.low.shape[0], scale * pair.low.shape[1])
    reduced = to_8bit(downscale(pair.high, scale))
    here = psnr(pair.low, reduced, 2)
    shifted = psnr(pair.low, np.roll(reduced, 1, axis=1), 2)
    assert here > shifted + 3


@pytest.mark.parametrize("grain", [0.0, 0.3, 0.6])
def test_noise_is_as_strong_as_it_says_and_grain_is_coarser(grain):
    luma, seen = np.full((260, 260), 128, np.uint8), []
    for seed in range(4):
        degradation = Degradation(encoder=None, quality=0, blur=0, noise=10, grain=grain, frame=0)
        low = degraded_pair(luma, 2, degradation, np.random.default_rng(seed)).low.astype(float) - 128
        seen.append((low.std(), np.mean(low[:, 1:] * low[:, :-1]) / low.var()))
    spread, neighbours = np.mean(seen, axis=0)
    assert abs(spread - 10) < 0.3
    # Of a kernel (g, 1, g) along each axis.
    assert abs(neighbours - 2 * grain / (1 + 2 * grain**2)) < 0.03


def test_pictures_are_degraded_as_often_as_the_model_is_documented_to_be():
    rng = np.random.default_rng(0)
    drawn = [draw_degradation(rng) for _ in range(3000)]
    of_encoders = Counter(d.encoder for d in drawn)
    shares = {"libx264": 0.5, "libx265": 0.2, "mpeg4": 0.08, "mpeg2video": 0.07, None: 0.15}
    assert {e: n / 3000 for e, n in of_encoders.items()} == pytest.approx(shares, abs=0.03)
    for encoder, (lowest, highest) in {"libx264": (16, 32), "libx265": (16, 32), "mpeg4": (2, 6)}.items():
        qualities = {d.quality for d in drawn if d.encoder == encoder}
        assert (min(qualities), max(qualities)) == (lowest, highest)
    assert np.mean([d.blur > 0 for d in drawn]) == pytest.approx(0.2, abs=0.03)
    assert np.mean([d.grain > 0 for d in drawn]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([d.frame == 0 for d in drawn]) == pytest.approx(0.3, abs=0.03)
    assert {d.frame for d in drawn} == set(range(FRAMES))
    noise = [d.noise for d in drawn if d.noise]
    assert len(noise) / 3000 == pytest.approx(0.4, abs=0.03)
    # Few are much: half have less than the geometric mean of the least and the most.
    assert np.median(noise) == pytest.approx((min(noise) * max(noise)) ** 0.5, rel=0.1)


def test_blur_takes_detail_from_what_is_seen_and_not_from_what_is_wanted():
    luma, pairs = codes(120, 130), []
    for blur in (0.0, 0.9):
        degradation = Degradation(encoder=None, quality=0, blur=blur, noise=0, grain=0, frame=0)
        pairs.append(degraded_pair(luma, 2, degradation, np.random.default_rng(0)))
    sharp, blurred = pairs
    np.testing.assert_array_equal(sharp.high, blurred.high)
    assert np.diff(blurred.low.astype(int)).std() < 0.9 * np.diff(sharp.low.astype(int)).std()

"""Crops stay aligned, and see what the Upscaler shows."""

import numpy as np
import pytest
import torch

from tests.material import codes
from training.crops import CropSource
from training.pairs import Pair, clean_pair
from training.store import SURROUNDINGS, pack
from vs_emtcm.errors import UsageError

CPU = torch.device("cpu")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_crops_stay_aligned_through_every_turn(scale):
    low = codes(30, 34)
    pair = Pair(scale=scale, low=low, high=low.repeat(scale, 0).repeat(scale, 1))
    lows, highs = CropSource(pack([pair])[scale], 16, CPU).draw(np.random.default_rng(0), 32)
    assert lows.shape == (32, 1, 16, 16)
    assert (highs == lows.repeat_interleave(scale, 2).repeat_interleave(scale, 3)).all()
    assert len({crop.numpy().tobytes() for crop in lows}) > 25


def test_of_two_crops_the_one_with_more_detail_is_taken():
    half = np.full((64, 64), 128, np.uint8)
    half[:, 32:] = codes(64, 32)
    lows, _ = CropSource(
        pack([Pair(scale=2, low=half, high=half.repeat(2, 0).repeat(2, 1))])[2], 8, CPU
    ).draw(np.random.default_rng(0), 200)
    flat = (lows.amax(dim=(1, 2, 3)) == lows.amin(dim=(1, 2, 3))).float().mean()
    # With its surroundings, 41 of 89 columns begin a flat crop.
    assert float(flat) == pytest.approx((41 / 89) ** 2, abs=0.08)


def test_pictures_smaller_than_a_crop_are_refused():
    with pytest.raises(UsageError, match="no x2 picture is large enough for crops of 64"):
        CropSource(pack([clean_pair(codes(40, 40), 2)])[2], 64, CPU)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_crop_at_an_edge_sees_the_mirrored_picture_as_the_upscaler_shows_it(scale):
    pair = clean_pair(codes(12 * scale, 12 * scale), scale)
    whole = pack([pair])[scale]
    low, high = CropSource(whole, 12 + 2 * SURROUNDINGS, CPU).draw(np.random.default_rng(0), 1)
    for crop, plane, border in ((low, pair.low, SURROUNDINGS), (high, pair.high, scale * SURROUNDINGS)):
        expected = np.pad(plane, border, mode="symmetric")
        turned = [np.rot90(t, k) for t in (expected, expected.T) for k in range(4)]
        assert any(np.array_equal((crop[0, 0] * 255).round().numpy(), t) for t in turned)


def test_crops_come_from_every_place_of_every_picture_in_every_orientation():
    size = 8 + 2 * SURROUNDINGS
    lows = [codes(9, 10), codes(8, 8, seed=1)]
    pairs = [Pair(scale=2, low=low, high=low.repeat(2, 0).repeat(2, 1)) for low in lows]
    expected = set()
    for low in lows:
        whole = np.pad(low, SURROUNDINGS, mode="symmetric")
        for y in range(whole.shape[0] - size + 1):
            for x in range(whole.shape[1] - size + 1):
                crop = whole[y : y + size, x : x + size]
                expected |= {np.rot90(t, k).tobytes() for t in (crop, crop.T) for k in range(4)}
    assert len(expected) == (2 * 3 + 1) * 8
    drawn, _ = CropSource(pack(pairs)[2], size, CPU).draw(np.random.default_rng(0), 2000)
    assert {(crop * 255).round().byte().numpy().tobytes() for crop in drawn} == expected

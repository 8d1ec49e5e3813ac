"""Methods are scored on what the papers' protocols give them."""

import numpy as np
import pytest
from PIL import Image

from tests.material import codes
from training.imresize import downscale, downscale_8bit, to_8bit
from training.methods import interpolations
from training.picture_scores import evaluate_pictures
from training.pictures import PictureError, luma_of_rgb, read_luma


@pytest.fixture
def picture(tmp_path):
    colours = np.stack([codes(53, 62, seed=i) for i in range(3)], axis=-1)
    path = tmp_path / "Set" / "colours.png"
    path.parent.mkdir()
    Image.fromarray(colours).save(path)
    return path


def seen(picture, reduction):
    lows = []

    def method(low):
        lows.append(low)
        return np.repeat(np.repeat(low, 3, axis=0), 3, axis=1).round().astype(np.uint8)

    (score,) = evaluate_pictures(picture.parent, 3, {"nearest": method}, reduction)
    assert (score.method, score.reduction, score.pictures) == ("nearest", reduction, 1)
    return lows[0]


def test_pictures_too_small_for_a_score_are_named(tmp_path):
    Image.fromarray(codes(16, 40)).save(tmp_path / "small.png")
    with pytest.raises(PictureError, match=r"small\.png is 40x16; scores need sides of at least 17"):
        evaluate_pictures(tmp_path, 3, interpolations(3), "luma")


def test_a_reduction_of_luma_is_rounded(picture):
    low = seen(picture, "luma")
    expected = downscale(read_luma(picture)[:51, :60], 3)
    assert (low == low.round()).all()
    assert np.abs(low - expected).max() <= 0.5


def test_a_reduction_of_rgb_rounds_the_colours_and_not_their_luma(picture):
    low = seen(picture, "rgb")
    # Reduction is linear: what differs is the rounding of each colour after each axis. Half a code, and as
    # much of the first as the weights of the second make of it (their magnitudes add up to 1.3).
    expected = downscale(luma_of_rgb(np.asarray(Image.open(picture)))[:51, :60], 3)
    assert (low != low.round()).any()
    assert np.abs(low - expected.clip(16, 235)).max() <= 0.5 * 2.3 * 219 / 255


def test_the_results_of_both_reductions_are_alike(picture):
    scores = [evaluate_pictures(picture.parent, 2, interpolations(2), r) for r in ("luma", "rgb")]
    for by_luma, by_rgb in zip(*scores, strict=True):
        assert by_rgb.method == by_luma.method
        assert by_rgb.psnr == pytest.approx(by_luma.psnr, abs=0.1)
        assert by_rgb.ssim == pytest.approx(by_luma.ssim, abs=0.01)


def test_grey_pictures_become_studio_range_on_the_way_through_rgb(tmp_path):
    grey = codes(30, 30)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    lows = {}
    for reduction in ("luma", "rgb"):
        methods = {"spy": lambda low, r=reduction: lows.setdefault(r, low).repeat(2, 0).repeat(2, 1)}
        evaluate_pictures(tmp_path, 2, methods, reduction)
    np.testing.assert_array_equal(lows["luma"], to_8bit(downscale(grey, 2)))
    np.testing.assert_allclose(lows["rgb"], downscale_8bit(grey, 2) * (219 / 255) + 16, atol=1e-9)


@pytest.mark.parametrize("reduction", ["luma", "rgb"])
def test_a_border_of_as_many_pixels_as_the_scale_does_not_count(tmp_path, reduction):
    Image.fromarray(np.full((30, 36), 100, np.uint8)).save(tmp_path / "flat.png")

    def framed(width):
        def method(low):
            high = np.zeros((30, 36))
            high[width:-width, width:-width] = low[0, 0]
            return high

        return method

    inside, outside = evaluate_pictures(tmp_path, 3, {"3": framed(3), "4": framed(4)}, reduction)
    assert (inside.psnr, inside.ssim) == (float("inf"), pytest.approx(1))
    assert outside.psnr < 30

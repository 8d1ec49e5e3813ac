"""Pictures become pairs if they are large enough."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tests.material import codes
from training.degradation import VideoPairs
from training.imresize import downscale, to_8bit
from training.pairs import CleanPairs, clean_pair, pairs_of_pictures
from training.pictures import PictureError


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_picture_is_cropped_and_reduced(scale):
    luma = codes(65, 67)
    pair = clean_pair(luma, scale)
    assert pair.scale == scale
    np.testing.assert_array_equal(pair.high, luma[: 65 // scale * scale, : 67 // scale * scale])
    np.testing.assert_array_equal(pair.low, to_8bit(downscale(pair.high, scale)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_pair_of_the_smallest_picture_has_sides_of_64_pixels(scale):
    for shifted, number in ((False, 1), (True, 4)):
        maker = CleanPairs(shifted=shifted)
        pairs = list(maker.pairs(codes(*[maker.smallest_side(scale)] * 2), scale))
        assert len(pairs) == number
        assert min(side for pair in pairs for side in pair.low.shape) == 64
    maker = VideoPairs(encodes=2)
    luma = codes(*[maker.smallest_side(scale)] * 2)
    assert all(min(pair.low.shape) >= 64 for pair in maker.pairs(luma, scale))


def test_pictures_that_are_large_enough_are_counted(tmp_path):
    paths = [tmp_path / f"{side}.png" for side in (127, 128, 192)]
    for path in paths:
        Image.fromarray(codes(200, int(path.stem))).save(path)
    taken = Counter()
    pairs = list(pairs_of_pictures(paths, CleanPairs(), (2, 3), taken))
    assert [(pair.scale, pair.high.shape) for pair in pairs] == [
        (2, (200, 128)),
        (2, (200, 192)),
        (3, (198, 192)),
    ]
    assert taken == {2: 2, 3: 1}


def test_bad_pictures_are_named_after_the_last(tmp_path):
    Image.fromarray(codes(200, 200)).save(tmp_path / "a.png")
    for name in ("b.png", "c.png"):
        (tmp_path / name).write_bytes(b"x")
    pairs = pairs_of_pictures(sorted(tmp_path.iterdir()), CleanPairs(), (2,), Counter())
    next(pairs)
    with pytest.raises(PictureError, match=r"b\.png cannot be read.*c\.png cannot be read"):
        next(pairs)


def test_how_a_picture_is_degraded_depends_on_what_it_shows_and_not_on_its_name(tmp_path):
    """Frames of two clips have the same names."""
    pictures = {"a/1.png": 0, "b/1.png": 1, "c/another.png": 0}
    for name, seed in pictures.items():
        (tmp_path / name).parent.mkdir()
        Image.fromarray(codes(220, 220, seed=seed)).save(tmp_path / name)
    maker, paths = VideoPairs(encodes=2), [tmp_path / name for name in pictures]
    pairs = list(pairs_of_pictures(paths, maker, (2,), Counter()))
    for first, again in zip(pairs[:2], pairs[4:], strict=True):
        np.testing.assert_array_equal(first.low, again.low)
        np.testing.assert_array_equal(first.high, again.high)
    drawn = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.degradation.degraded_pair", lambda *arguments: drawn.append(arguments[2]))
        list(pairs_of_pictures(paths, maker, (2, 3), Counter()))
    # Two encodes of each of two scales.
    assert len(drawn) == 12
    assert len(set(drawn)) == 8
    assert drawn[:4] == drawn[8:]

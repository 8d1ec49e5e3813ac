"""TIFF files of 16 bits."""

import numpy as np
from PIL import Image

from tests.pictures.samples import decoded, deep
from vs_emtcm.pictures.deep_tiff import write_deep_tiff


def test_a_large_tiff_is_in_several_strips(tmp_path):
    pixels = deep(3, 600, 400)
    write_deep_tiff(pixels, tmp_path / "out.tiff", icc_profile=None, tags={}, dpi=None)
    with Image.open(tmp_path / "out.tiff") as picture:
        assert len(picture.tag_v2[273]) == 2
        np.testing.assert_array_equal(np.asarray(picture), pixels >> 8)
    np.testing.assert_array_equal(decoded(tmp_path / "out.tiff"), pixels)


def test_a_row_that_is_longer_than_a_strip_is_one(tmp_path):
    pixels = np.tile(deep(3, 2, 500), (1, 360, 1))
    write_deep_tiff(pixels, tmp_path / "out.tiff", icc_profile=None, tags={}, dpi=None)
    np.testing.assert_array_equal(decoded(tmp_path / "out.tiff"), pixels)

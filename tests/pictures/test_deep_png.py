"""PNG files of 16 bits."""

import struct

import numpy as np
import pytest

from tests.pictures.samples import PROFILE, decoded, deep
from vs_emtcm.pictures.deep_png import write_deep_png


def test_png_begins_with_what_describes_it(tmp_path):
    """Readers want the profile before the pixels (PNG, third edition, 5.6)."""
    path = tmp_path / "out.png"
    write_deep_png(deep(3), path, icc_profile=PROFILE, exif=None, dpi=(254, 254))
    data = path.read_bytes()
    assert data.index(b"IHDR") < data.index(b"iCCP") < data.index(b"pHYs") < data.index(b"IDAT")
    assert struct.unpack_from(">IIB", data, data.index(b"pHYs") + 4) == (10000, 10000, 1)
    write_deep_png(deep(3), path, icc_profile=None, exif=None, dpi=(72, 300))
    data = path.read_bytes()
    # Per metre, the nearest.
    assert struct.unpack_from(">IIB", data, data.index(b"pHYs") + 4) == (2835, 11811, 1)


@pytest.mark.parametrize("dpi", [None, (300.0, 300.0)])
def test_a_resolution_is_stated_once_or_not_at_all(tmp_path, dpi):
    """FFmpeg's encoder writes one of its own, 0 by 1, which the standard does not allow beside another."""
    path = tmp_path / "out.png"
    write_deep_png(deep(4), path, icc_profile=None, exif=None, dpi=dpi)
    assert path.read_bytes().count(b"pHYs") == (dpi is not None)
    np.testing.assert_array_equal(decoded(path), deep(4))

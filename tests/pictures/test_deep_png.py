"""PNG files of 16 bits."""

import struct

from tests.pictures.samples import PROFILE, deep
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

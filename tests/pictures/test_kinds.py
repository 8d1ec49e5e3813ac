"""What each kind of file holds."""

from types import SimpleNamespace

import pytest

from tests.material import codes
from tests.pictures.samples import RGBA, UPSCALER, save
from vs_emtcm import UsageError
from vs_emtcm.pictures import upscale_picture
from vs_emtcm.pictures.kinds import check_size


def test_sides_that_a_kind_cannot_hold_are_said_before_the_work(tmp_path):
    source = save(tmp_path / "in.png", codes(1, 8192))
    with pytest.raises(UsageError, match=r"a \.webp file cannot hold 16384x2 pixels, its sides end at 16383"):
        upscale_picture(source, tmp_path / "out.webp", UPSCALER)
    check_size(65500, 2, tmp_path / "out.jpg")
    with pytest.raises(UsageError, match=r"a \.jpg file cannot hold 2x65501 pixels, its sides end at 65500"):
        check_size(2, 65501, tmp_path / "out.jpg")
    check_size(1 << 20, 2, tmp_path / "out.png")


@pytest.mark.parametrize(
    ("pixels", "name", "lost"),
    [(RGBA, "out.jpg", "alpha"), (codes(9, 9, bits=16), "out.webp", "16-bit grey")],
)
def test_kinds_that_would_lose_something_are_refused(tmp_path, pixels, name, lost):
    source = save(tmp_path / "in.png", pixels)
    # Before any work: there is nothing that could do it.
    with pytest.raises(UsageError, match=f"cannot hold {lost}"):
        upscale_picture(source, tmp_path / name, SimpleNamespace(scale=2))
    assert not (tmp_path / name).exists()

"""What is written."""

import numpy as np
import pytest
from PIL import Image

from tests.material import codes
from tests.pictures.samples import RGB, UPSCALER, pixels_of, save
from vs_emtcm import EmtcmError
from vs_emtcm.pictures import upscale_picture


def test_a_failing_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    source = save(tmp_path / "in.png", RGB)
    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(EmtcmError, match="cannot be written: no space left on device"):
        upscale_picture(source, tmp_path / "out.png", UPSCALER)
    assert [p.name for p in tmp_path.iterdir()] == ["in.png"]


def test_jpeg_keeps_every_sample_of_its_colours(tmp_path):
    source = save(tmp_path / "in.png", RGB)
    for quality in (None, 50):
        upscale_picture(source, tmp_path / "out.jpg", UPSCALER, quality)
        with Image.open(tmp_path / "out.jpg") as picture:
            # Component, and its samples across and down beside those of the others.
            assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3


def test_tiff_is_compressed_without_loss(tmp_path):
    flat = np.full((40, 50, 3), 128, np.uint8)
    upscale_picture(save(tmp_path / "in.png", flat), tmp_path / "out.tif", UPSCALER)
    np.testing.assert_array_equal(pixels_of(tmp_path / "out.tif"), np.full((80, 100, 3), 128))
    assert (tmp_path / "out.tif").stat().st_size < 80 * 100 * 3 / 10


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_the_quality_that_was_asked_for_is_that_of_the_file(tmp_path, suffix):
    source = save(tmp_path / "in.png", codes(64, 64))
    for quality in (None, 60, 95):
        upscale_picture(source, tmp_path / f"{quality}.{suffix}", UPSCALER, quality)
    default, low, usual = (tmp_path.joinpath(f"{q}.{suffix}").read_bytes() for q in (None, 60, 95))
    assert default == usual
    assert len(low) < 0.6 * len(usual)

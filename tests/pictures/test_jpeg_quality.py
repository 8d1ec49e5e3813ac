"""The quality of JPEG files, and their tuning."""

import io

import pytest
from PIL import Image

from tests.pictures.samples import jpeg, striped
from vs_emtcm.pictures.jpeg_quality import quality_of, usual_tune


@pytest.mark.parametrize("quality", [25, 30, 50, 75, 90, 95, 100])
def test_the_quality_is_that_of_the_independent_jpeg_group(quality):
    tables = Image.open(io.BytesIO(jpeg(striped(), quality=quality))).quantization
    assert quality_of(tables) == pytest.approx(quality, abs=1)


@pytest.mark.parametrize(("quality", "tune"), [(50, "video"), (91, "video"), (93, "clean"), (100, "clean")])
def test_files_of_low_quality_are_for_the_tuning_that_takes_blocks_away(tmp_path, quality, tune):
    path = tmp_path / "picture.jpg"
    path.write_bytes(jpeg(striped(), quality=quality))
    assert usual_tune(path) == tune


def test_other_files_are_for_the_tuning_for_clean_ones(tmp_path):
    Image.fromarray(striped()).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    # Without its quantisers (DQT), as the frames of Motion JPEG sometimes are without other tables.
    data = jpeg(striped(), quality=50)
    while (start := data.find(b"\xff\xdb")) >= 0:
        data = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]
    (tmp_path / "c.jpg").write_bytes(data)
    for name in ("a.png", "b.jpg", "c.jpg", "missing.jpg"):
        assert usual_tune(tmp_path / name) == "clean"


def test_a_picture_that_pillow_takes_for_an_attack_is_refused_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    (tmp_path / "in.jpg").write_bytes(jpeg(striped(), quality=50))
    assert usual_tune(tmp_path / "in.jpg") == "clean"

"""Methods are shown side by side."""

import pytest
from PIL import Image

from tests.training.commands.command_line import run


def test_cut_outs_beyond_a_picture_are_refused(tmp_path, pictures):
    picture = next(pictures.rglob("*.png"))
    arguments = (picture, "--network", "base-clean/1", "--top", 290, "--side", 32)
    result = run("compare", *arguments, "--out", tmp_path / "sheet.png")
    assert result.exit_code == 2
    assert "are not all within the picture of 308x300" in result.stderr


def test_methods_are_shown_side_by_side(tmp_path, pictures):
    picture = next(pictures.rglob("*.png"))
    arguments = (picture, "--network", "base-clean/2", "--side", 32, "--crf", 23)
    result = run("compare", *arguments, "--out", tmp_path / "sheet.png")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (3 * 64, 64)


@pytest.mark.parametrize(
    ("out", "message"), [("same.png", "is the input itself"), ("sheet.jpg", "is no name of a PNG file")]
)
def test_a_comparison_never_overwrites_its_picture(tmp_path, pictures, out, message):
    picture = next(pictures.rglob("*.png")).rename(tmp_path / "same.png")
    before = picture.read_bytes()
    result = run("compare", picture, "--network", "base-clean/2", "--out", tmp_path / out)
    assert result.exit_code == 2
    assert message in result.stderr
    assert picture.read_bytes() == before


def test_a_picture_that_is_too_small_is_told_as_it_is(tmp_path):
    Image.new("L", (3, 1)).save(tmp_path / "small.png")
    result = run("compare", tmp_path / "small.png", "--out", tmp_path / "sheet.png")
    assert result.exit_code == 2
    assert "small.png is 3x1; a comparison needs sides of at least 4 pixels" in result.stderr

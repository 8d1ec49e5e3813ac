"""Folders and patterns name their files, and their results."""

from pathlib import Path

import pytest

from vs_emtcm import UsageError
from vs_emtcm.pictures.sequences import find_pictures, is_pattern, name_results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = ("frame0009.png", "frame0010.png", "frame0008.png", "b.JPG", "frameX.png")
    for name in (*pictures, "notes.txt", "._b.JPG", ".hidden.png"):
        (tmp_path / name).touch()
    return tmp_path


def names(found):
    return [path.name for path, _ in found]


def test_a_folder_is_its_pictures_in_order(folder):
    expected = ["b.JPG", "frame0008.png", "frame0009.png", "frame0010.png", "frameX.png"]
    assert names(find_pictures(str(folder))) == expected


@pytest.mark.parametrize("pattern", ["frame%04d.png", "frame%d.png"])
def test_a_printf_pattern_is_its_numbers_in_order(folder, pattern):
    found = find_pictures(str(folder / pattern))
    assert found == [(folder / f"frame{n:04d}.png", n) for n in (8, 9, 10)]


def test_numbers_are_put_in_order_as_numbers(tmp_path):
    for number in (9, 10, 9999, 10_000):
        (tmp_path / f"shot(1)+{number}.png").touch()
        (tmp_path / f"{number:04d}.png").touch()
    assert [n for _, n in find_pictures(str(tmp_path / "shot(1)+%d.png"))] == [9, 10, 9999, 10_000]
    # Frames beyond the last that four digits can number belong to the film.
    assert [n for _, n in find_pictures(str(tmp_path / "%04d.png"))] == [9, 10, 9999, 10_000]


def test_a_folder_that_is_called_like_a_picture_is_none(folder):
    (folder / "a.png").mkdir()
    for name in (folder, folder / "*", folder / "*.png"):
        assert "a.png" not in names(find_pictures(str(name)))


def test_a_glob_pattern_is_what_matches(folder):
    assert names(find_pictures(str(folder / "frame001?.png"))) == ["frame0010.png"]


def test_a_star_is_every_picture_of_a_folder(folder):
    assert is_pattern(str(folder / "*"))
    assert names(find_pictures(str(folder / "*me001*"))) == ["frame0010.png"]
    assert is_pattern(str(folder / "*me001*"))
    assert not is_pattern(str(folder / "none"))
    expected = ["b.JPG", "frame0008.png", "frame0009.png", "frame0010.png", "frameX.png"]
    assert names(find_pictures(str(folder / "*"))) == expected


def test_nothing_found_is_refused(folder):
    (folder / "empty").mkdir()
    for name in ("empty", "other%03d.png", "*.webp", "none/%d.png"):
        with pytest.raises(UsageError, match="holds no picture"):
            find_pictures(str(folder / name))


def test_files_are_no_patterns(folder):
    (folder / "50%d.png").touch()
    assert not is_pattern(str(folder / "50%d.png"))
    assert not is_pattern(str(folder / "b.JPG"))
    assert is_pattern(str(folder / "51%d.png"))
    assert is_pattern(str(folder / "*.png"))
    # As cameras write it.
    assert is_pattern(str(folder / "IMG_%04d.JPG"))
    assert is_pattern(str(folder / "*.PNG"))


def test_results_keep_names_numbers_or_stems(folder):
    numbered = find_pictures(str(folder / "frame%04d.png"))
    globbed = find_pictures(str(folder / "frame00*.png"))
    assert [p.name for p in name_results(numbered, "out/%06d.png")] == [
        "000008.png",
        "000009.png",
        "000010.png",
    ]
    assert [p.name for p in name_results(globbed, "out/%03d.png")] == ["001.png", "002.png", "003.png"]
    assert name_results(globbed, "out/*_2x.webp")[0] == Path("out/frame0008_2x.webp")
    assert name_results(globbed, "out")[0] == Path("out/frame0008.png")
    assert name_results(globbed, "out.x2/")[0] == Path("out.x2/frame0008.png")


def test_many_pictures_do_not_fit_one_file(folder):
    with pytest.raises(UsageError, match="is one file for 3 pictures; give a folder"):
        name_results(find_pictures(str(folder / "frame%d.png")), "out.png")
    (folder / "frame0008.jpg").touch()
    with pytest.raises(UsageError, match="gives several pictures the same name"):
        name_results(find_pictures(str(folder / "frame0008.*")), "out/*.png")

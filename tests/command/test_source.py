"""What cannot be read is told by its name."""

import pytest

from tests.material import run


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("https://example.com/film.mkv", "https://example.com/film.mkv is an address; download it first"),
        ("empty.mkv", "empty.mkv is empty; give a video"),
        ("empty.png", "empty.png is empty; give a video, a picture"),
    ],
)
def test_what_is_no_film_is_told_by_its_name(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    for name in ("empty.mkv", "empty.png"):
        (tmp_path / name).touch()
    result = run("upscale", source, "out.mkv" if source.endswith("mkv") else "out.png")
    assert result.exit_code == 2
    assert message in result.stderr

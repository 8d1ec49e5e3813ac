"""The closing report."""

import json

import pytest
from PIL import Image

from tests.material import codes, run
from vs_emtcm.command.outcome import nothing_to_do


def test_the_closing_line_names_the_parts(make_clip, tmp_path):
    result = run("upscale", make_clip(frames=4), tmp_path / "out.mp4")
    assert "4 frames of 96x64 in" in result.stderr
    assert "decode" in result.stderr
    assert result.stdout == ""


def test_results_that_are_there_can_be_skipped(make_clip, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(codes(9, 9)).save(tmp_path / "in" / name)
    (tmp_path / "out" / "a.png").write_bytes(b"finished")
    arguments = ("upscale", tmp_path / "in", tmp_path / "out", "--skip-existing")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "1 picture of 18x18" in result.stderr
    assert "1 skipped, there already" in result.stderr
    assert (tmp_path / "out" / "a.png").read_bytes() == b"finished"
    assert run(*arguments).stderr == "nothing to do: there already: 2\n"
    report = json.loads(run(*arguments, "--json").stdout)
    assert (report["frames"], report["skipped"]) == (0, 2)
    film = make_clip("film.mkv", frames=2)
    assert run("upscale", film, tmp_path / "out", "--skip-existing").exit_code == 0
    written = (tmp_path / "out" / "film.mkv").read_bytes()
    report = json.loads(run("upscale", film, tmp_path / "out", "--skip-existing", "--json").stdout)
    assert (report["frames"], report["skipped"]) == (0, 1)
    assert (tmp_path / "out" / "film.mkv").read_bytes() == written


@pytest.mark.parametrize("unit", ["frame", "picture"])
def test_nothing_to_do_is_counted_in_the_unit_of_the_request(unit):
    outcome = nothing_to_do(unit=unit, skipped=3)
    assert (outcome.unit, outcome.frames, outcome.skipped) == (unit, 0, 3)
    assert outcome.summary() == "nothing to do: there already: 3"

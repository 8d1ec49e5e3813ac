"""Trainings go on, by themselves and with their own pictures."""

import sys

import pytest

from tests.training.commands.command_line import caches, run
from tests.training.conftest import RECIPE
from training.lock import locked
from vs_emtcm.models import find


def test_training_pictures_are_not_validated_on(tmp_path, pictures):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    _, cache, *_ = caches(tmp_path, pictures)
    files = ("--recipe", tmp_path / "recipe.toml", "--cache", cache, "--validation", tmp_path / "." / "cache")
    for command in ("train", "ablate"):
        result = run(command, *files, "--out", tmp_path / "out")
        assert result.exit_code == 2
        assert "is given as --cache and as --validation; validate on pictures that" in result.stderr


def test_a_run_goes_on_with_the_pictures_that_it_began_with(tmp_path, pictures):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    cache, own, validation, held_out = caches(tmp_path, pictures)
    files = ("--eager", "--recipe", tmp_path / "recipe.toml", "--out", tmp_path / "run")
    assert run("train", *files, cache, own, validation, held_out).exit_code == 0
    # A copy has the same pictures.
    assert run("train", *files, cache, held_out, validation, own).exit_code == 0
    arguments = ("--data", pictures, "--out", tmp_path / "other", "--tune", "clean")
    assert run("prepare", *arguments, "--teacher", "base-clean/1").exit_code == 0
    result = run("train", *files, cache, tmp_path / "other", validation, own)
    assert (result.exit_code, "a training on another cache" in result.stderr) == (2, True)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_two_trainings_in_one_folder_are_refused(tmp_path, pictures):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    files = ("--recipe", tmp_path / "recipe.toml", *caches(tmp_path, pictures), "--out", tmp_path / "run")
    with locked(tmp_path / "run"):
        left = tmp_path / "run" / ".0123456789abcdef.partial.safetensors"
        left.touch()
        result = run("train", "--eager", *files)
        assert left.exists()
    assert (result.exit_code, "another training works in" in result.stderr) == (2, True)
    assert run("train", "--eager", *files).exit_code == 0
    # A killed training's; one that still works would need it.
    assert not left.exists()


def test_a_missing_compiler_is_said(tmp_path, pictures, monkeypatch):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    files = ("--recipe", tmp_path / "recipe.toml", *caches(tmp_path, pictures))
    monkeypatch.setenv("CXX", "no-such-compiler")
    result = run("train", *files, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "no C++ compiler 'no-such-compiler'" in result.stderr
    assert "or give --eager" in result.stderr


def test_wrong_usage_is_told_from_failure(tmp_path, pictures):
    """A start, a cache or a folder that cannot be used is a mistake on the command line."""
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    (tmp_path / "file").touch()
    two = ("prepare", "--data", pictures, "--out", tmp_path / "two", "--tune", "clean", "--scale", 2)
    assert run(*two).exit_code == 0
    files = ("--eager", "--recipe", tmp_path / "recipe.toml", *caches(tmp_path, pictures))
    for options, message in (
        (("--out", tmp_path / "run", "--start-from", tmp_path / "none"), "none does not exist; start from"),
        (
            ("--out", tmp_path / "run", "--start-from", tmp_path / "file"),
            "neither a checkpoint nor a weights",
        ),
        (("--out", tmp_path / "run", "--start-from", find("base", "clean").path), "of another network"),
        (
            ("--out", tmp_path / "file" / "run"),
            "file/run cannot be made: not a directory; give another folder",
        ),
        (("--out", tmp_path / "run", "--cache", tmp_path / "two"), "no pairs for x3, x4; run 'python -m"),
    ):
        result = run("train", *files, *options)
        assert result.exit_code == 2, result.output
        assert message in result.stderr
    narrower = RECIPE.format(tune="clean").replace("scales = [2, 3, 4]", "scales = [2]")
    (tmp_path / "recipe.toml").write_text(narrower)
    result = run("train", *files, "--out", tmp_path / "run")
    assert (result.exit_code, "no phase trains or starts x3, x4" in result.stderr) == (2, True)

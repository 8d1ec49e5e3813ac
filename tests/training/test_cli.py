"""The training command from pictures to scores."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.training.commands.command_line import caches, run
from tests.training.conftest import RECIPE
from training.loop import WEIGHTS


@pytest.mark.parametrize("tune", ["clean", "video"])
def test_from_pictures_to_scores(tmp_path, pictures, tune):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune=tune))
    out = tmp_path / "run"
    files = ("--recipe", tmp_path / "recipe.toml", *caches(tmp_path, pictures, tune), "--out", out)
    result = run("train", "--eager", *files)
    assert result.exit_code == 0, result.output
    network = f"{out / WEIGHTS}/1"
    scored = run("evaluate", "--network", network, "--data", pictures, "--scale", 3, "--json")
    scores = json.loads(scored.stdout)
    assert [(s["reduction"], s["method"]) for s in scores] == [
        (reduction, method) for reduction in ("luma", "rgb") for method in ("bicubic", "lanczos", network)
    ]
    assert {s["name"] for s in scores} == {"Set"}
    assert all(s["pictures"] == 2 and 5 < s["psnr"] < 60 for s in scores)
    again = tmp_path / "again.safetensors"
    assert run("export", "--recipe", tmp_path / "recipe.toml", "--run", out, "--out", again).exit_code == 0
    first, second = load_file(out / WEIGHTS), load_file(again)
    assert all(np.array_equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "--data", "none", "--out", "x", "--tune", "clean"], "none is not a folder"),
        (["prepare", "--data", ".", "--out", "x", "--tune", "anime"], "tune is 'anime'; accepted are"),
        (["evaluate", "--data", "none"], "none is not a folder"),
        (["evaluate", "--data", ".", "--scale", "7"], "scale is 7"),
        (
            ["train", "--recipe", "no.toml", "--cache", "c", "--validation", "v", "--out", "o"],
            "is not a TOML file",
        ),
        (["evaluate-video", "none.mkv"], "none.mkv cannot be read as a video"),
        (["evaluate", "--data", ".", "--network", "small-clean/1"], "model 'small' with tune 'clean'"),
        (["evaluate", "--data", ".", "--network", "base-clean"], "give a model and its stages"),
        (["report", "--pictures", "no.toml", "--out", "."], "no.toml holds no scores"),
        (["report", "--pictures", "empty.json", "--out", "."], "empty.json holds no scores"),
        (["export", "--recipe", "no.toml", "--run", "r", "--out", "o"], "holds no checkpoint"),
        (["export", "--recipe", "no.toml", "--run", ".", "--out", "o.pt"], "ends in .safetensors"),
        (["evaluate-video", "none.mkv", "--crf", "99"], "equal to 51"),
        (["compare", "no.png", "--out", "x.png", "--crf", "-1"], "equal to 0"),
        (["compare", "no.png", "--out", "x.png", "--scale", "0"], "scale is 0; accepted are 2, 3 and 4"),
        (["evaluate-video", "none.mkv", "--scale", "5"], "scale is 5; accepted are 2, 3 and 4"),
    ],
)
def test_wrong_usage_is_one_sentence(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no.toml").write_text("x")
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "checkpoint.safetensors").touch()
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output

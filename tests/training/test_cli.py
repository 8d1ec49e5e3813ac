"""The training command from pictures to scores."""

import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from typer.testing import CliRunner

from tests.conftest import codes
from training.cli import app
from training.loop import WEIGHTS

RECIPE = """
[model]
name = "tiny"
tune = "{tune}"
shape = {{ channels = 4, stage1 = 1, stage2 = 2 }}
width = 8

[schedule]
steps = 2
batch = {{ 2 = 1, 3 = 1, 4 = 1 }}
crop = 24
learning_rate = 1e-3
warmup = 1
ema = 0.9
seed = 1
evaluate_every = 2
checkpoint_every = 2

[loss]
stage1 = 0.5
tasks = {{ luminance = 0.1, contrast = 0.1, structure = 0.1, distribution = 0.01 }}
sample = 1
"""


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "data" / "Set"
    folder.mkdir(parents=True)
    for i in range(2):
        Image.fromarray(codes(300, 310, seed=i)).save(folder / f"{i}.png")
    return tmp_path / "data"


@pytest.mark.parametrize("tune", ["clean", "video"])
def test_from_pictures_to_scores(tmp_path, pictures, tune):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune=tune))
    cache, out = tmp_path / "cache", tmp_path / "run"
    assert run("prepare", "--data", pictures, "--out", cache, "--tune", tune).exit_code == 0
    files = ("--recipe", tmp_path / "recipe.toml", "--cache", cache, "--validation", cache, "--out", out)
    result = run("train", *files)
    assert result.exit_code == 0, result.output
    scored = run("evaluate", "--model", out / WEIGHTS, "--data", pictures, "--scale", 3, "--json")
    scores = json.loads(scored.stdout)
    assert [s["method"] for s in scores][:2] == ["bicubic", "lanczos"]
    assert {s["name"] for s in scores} == {"Set"}
    assert all(s["pictures"] == 2 and 5 < s["psnr"] < 60 for s in scores)
    again = tmp_path / "again.safetensors"
    assert run("export", "--recipe", tmp_path / "recipe.toml", "--run", out, "--out", again).exit_code == 0
    first, second = load_file(out / WEIGHTS), load_file(again)
    assert all(np.array_equal(first[k], second[k]) for k in first)


def test_the_shipped_model_beats_interpolation(pictures):
    scores = json.loads(run("evaluate", "--data", pictures, "--scale", 2, "--json").stdout)
    by_method = {s["method"]: s["psnr"] for s in scores}
    assert by_method["base-clean/2"] > max(by_method["bicubic"], by_method["lanczos"])


def test_compressed_clips_are_scored(make_clip):
    clip = make_clip(codec="ffv1", width=96, height=96)
    scores = json.loads(run("evaluate-video", clip, "--crf", 23, "--frames", 3, "--json").stdout)
    assert [s["method"] for s in scores] == ["bicubic", "lanczos", "base-video/2"]
    assert all(s["pictures"] == 3 for s in scores)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "--data", "none", "--out", "x", "--tune", "clean"], "none is not a folder"),
        (["prepare", "--data", ".", "--out", "x", "--tune", "anime"], "tune is 'anime'; accepted are"),
        (["evaluate", "--data", "none"], "none is not a folder"),
        (["evaluate", "--data", ".", "--scale", "7"], "scale is 7"),
        (
            ["train", "--recipe", "no.toml", "--cache", "c", "--validation", "v", "--out", "o"],
            "cannot be read",
        ),
        (["export", "--recipe", "no.toml", "--run", "r", "--out", "o"], "holds no checkpoint"),
    ],
)
def test_wrong_usage_is_one_sentence(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output

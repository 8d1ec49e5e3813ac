"""The training command from pictures to scores."""

import errno
import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from typer.testing import CliRunner

from tests.conftest import codes
from tests.training.conftest import RECIPE
from training.cache import read_cache
from training.cli import app
from training.evaluate import networks
from training.loop import WEIGHTS

ABLATIONS = """
[common.model]
scales = [2]

[common]
phases = [{ scales = [2], steps = 1, batch = 1, crop = 24, learning_rate = 1e-3 }]

[[variants]]
name = "as it is"

[[variants]]
name = "wide kernels"
set.model.width = 8
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


def test_a_network_is_narrowed_and_trained_on(tmp_path, pictures):
    (tmp_path / "wide.toml").write_text(RECIPE.format(tune="clean").replace("channels = 4", "channels = 6"))
    one = RECIPE.format(tune="clean").replace("[2, 3, 4]", "[2]")
    others = one[one.index("[[phases]]") :].replace("[2]", "[3, 4]\nstart = { 3 = 2, 4 = 2 }")
    (tmp_path / "recipe.toml").write_text(f"{one}\n{others}")
    (tmp_path / "alone.toml").write_text(one)
    cache = tmp_path / "cache"
    assert run("prepare", "--data", pictures, "--out", cache, "--tune", "clean").exit_code == 0
    files = ("--cache", cache, "--validation", cache)
    wide = run("train", "--eager", "--recipe", tmp_path / "wide.toml", *files, "--out", tmp_path / "wide")
    assert wide.exit_code == 0, wide.output
    small = tmp_path / "small.safetensors"
    options = ("--recipe", tmp_path / "recipe.toml", "--cache", cache, "--out", small, "--eager")
    steps = ("--rounds", 2, "--fading", 2, "--settling", 2)
    result = run("narrow", "--start-from", tmp_path / "wide" / WEIGHTS, *options, *steps)
    assert result.exit_code == 0, result.output
    assert len(load_file(small)["x2/head.slope"]) == 4
    more = (*files, "--start-from", small, "--out", tmp_path / "on", "--eager")
    refused = run("train", "--recipe", tmp_path / "alone.toml", *more)
    assert (refused.exit_code, "holds no x3, x4" in refused.stderr) == (1, True)
    result = run("train", "--recipe", tmp_path / "recipe.toml", *more)
    assert result.exit_code == 0, result.output
    again = run("narrow", "--start-from", small, *options, *steps)
    assert (again.exit_code, "give a wider network" in again.stderr) == (2, True)


def test_an_ablation_is_a_table_of_its_variants(tmp_path, pictures):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    (tmp_path / "ablations.toml").write_text(ABLATIONS)
    cache = tmp_path / "cache"
    assert run("prepare", "--data", pictures, "--out", cache, "--tune", "clean").exit_code == 0
    files = ("--recipe", tmp_path / "recipe.toml", "--cache", cache, "--validation", cache)
    more = ("--ablations", tmp_path / "ablations.toml", "--out", tmp_path / "out", "--eager")
    result = run("ablate", *files, *more)
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "out" / "ablations.md").read_text().splitlines()
    assert lines[0] == "| variant | x2/1 | x2/2 | x3/1 | x3/2 | x4/1 | x4/2 |"
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| as it is", "| wide kernels"]
    assert lines[2] != lines[3]


def test_shifted_reductions_are_those_of_shifted_pictures(tmp_path, pictures):
    for arguments in ((), ("--shifted",)):
        out = tmp_path / f"cache{len(arguments)}"
        assert run("prepare", "--data", pictures, "--out", out, "--tune", "clean", *arguments).exit_code == 0
    plain, shifted = (read_cache(tmp_path / f"cache{i}") for i in (0, 1))
    for scale in (2, 3, 4):
        assert len(shifted[scale]) == 4 * len(plain[scale]) == 8
        first, last = shifted[scale][0], shifted[scale][3]
        assert np.array_equal(first.low, plain[scale][0].low)
        offset = scale // 2
        height, width = (n - 2 * scale for n in last.high.shape)
        assert np.array_equal(
            last.high[:height, :width], first.high[offset : offset + height, offset : offset + width]
        )
        assert not np.array_equal(last.low, first.low[: last.low.shape[0], : last.low.shape[1]])


def test_a_teacher_makes_half_of_every_target(tmp_path, pictures):
    plain, blended = tmp_path / "plain", tmp_path / "blended"
    arguments = ("prepare", "--data", pictures, "--tune", "clean")
    assert run(*arguments, "--out", plain).exit_code == 0
    assert run(*arguments, "--out", blended, "--teacher", "base-clean/1").exit_code == 0
    for scale in (2, 3, 4):
        network = networks(["base-clean/1"], scale)["base-clean/1"]
        truth, target = read_cache(plain)[scale][0], read_cache(blended)[scale][0]
        assert np.array_equal(truth.low, target.low)
        expected = (network(truth.low).astype(float) + truth.high) / 2
        assert np.abs(target.high - expected).mean() < 0.2 * np.abs(truth.high - expected).mean()
    result = run(*arguments, "--out", tmp_path / "none", "--teacher", "huge-clean/1")
    assert result.exit_code == 2
    assert "huge" in result.stderr


def test_several_encodes_are_of_the_same_pictures_and_differ(tmp_path, pictures):
    for encodes in (1, 2):
        out = tmp_path / f"cache{encodes}"
        arguments = ("--out", out, "--tune", "video", "--encodes", encodes)
        assert run("prepare", "--data", pictures, *arguments).exit_code == 0
    one, two = (read_cache(tmp_path / f"cache{encodes}") for encodes in (1, 2))
    for scale in (2, 3, 4):
        assert len(two[scale]) == 2 * len(one[scale]) == 4
        for number in (0, 1):
            first, second = two[scale][2 * number], two[scale][2 * number + 1]
            assert np.array_equal(first.low, one[scale][number].low)
            height, width = np.minimum(first.low.shape, second.low.shape)
            assert not np.array_equal(first.low[:height, :width], second.low[:height, :width])


@pytest.mark.parametrize(
    ("tune", "arguments", "message"),
    [
        ("video", ("--shifted",), "--shifted is for tune clean"),
        ("clean", ("--encodes", 2), "--encodes is for tune video"),
    ],
)
def test_each_tune_has_its_own_variants(tmp_path, pictures, tune, arguments, message):
    result = run("prepare", "--data", pictures, "--out", tmp_path / "out", "--tune", tune, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_pictures_of_a_test_set_are_refused(tmp_path, pictures):
    arguments = ("--data", pictures, "--out", tmp_path / "cache", "--tune", "clean")
    result = run("prepare", *arguments, "--against", pictures / "Set")
    assert result.exit_code == 2
    assert "of a test set, take them out" in result.stderr
    assert all(f"{name}.png (shows what" in result.stderr for name in (0, 1))
    assert not (tmp_path / "cache").exists()


def test_the_shipped_models_beat_interpolation(pictures):
    scores = json.loads(run("evaluate", "--data", pictures, "--scale", 2, "--json").stdout)
    by_method = {s["method"]: s["psnr"] for s in scores}
    assert by_method["base-clean/2"] > max(by_method["bicubic"], by_method["lanczos"])


def test_scores_become_tables_and_a_plot(tmp_path, pictures, make_clip):
    (pictures / "Set").rename(pictures / "Set5")
    networks = ("--network", "base-clean/1", "--network", "base-clean/2")
    scores = run("evaluate", "--data", pictures, *networks, "--scale", 2, "--json")
    (tmp_path / "pictures.json").write_text(scores.stdout)
    clip = make_clip(codec="ffv1", width=128, height=128)
    scores = run("evaluate-video", clip, *networks, "--crf", 23, "--frames", 3, "--json")
    rows = json.loads(scores.stdout)
    assert [row["method"] for row in rows] == ["bicubic", "lanczos", "base-clean/1", "base-clean/2"]
    assert all(row["pictures"] == 3 and row["vif"] > 0 for row in rows)
    (tmp_path / "video.json").write_text(scores.stdout)
    result = run(
        "report",
        "--pictures",
        tmp_path / "pictures.json",
        "--video",
        tmp_path / "video.json",
        "--out",
        tmp_path,
    )
    assert result.exit_code == 0, result.output
    assert "| base-clean/1 | 10,356 | 2.37 |" in result.stdout
    assert "| base-clean/2 | 25,528 | 5.82 |" in result.stdout
    assert "| SESR-M5, published" in result.stdout
    with Image.open(tmp_path / "pareto.png") as plot:
        assert plot.size[0] > 400


def test_a_full_disk_is_said(tmp_path, pictures, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("training.cli.write_cache", full)
    result = run("prepare", "--data", pictures, "--out", tmp_path / "cache", "--tune", "clean")
    assert (result.exit_code, result.stderr) == (
        1,
        "training: error: writing failed: no space left on device\n",
    )


def test_a_missing_compiler_is_said(tmp_path, pictures, monkeypatch):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    cache = tmp_path / "cache"
    assert run("prepare", "--data", pictures, "--out", cache, "--tune", "clean").exit_code == 0
    monkeypatch.setenv("CXX", "no-such-compiler")
    files = ("--recipe", tmp_path / "recipe.toml", "--cache", cache, "--validation", cache)
    result = run("train", *files, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "no C++ compiler 'no-such-compiler'" in result.stderr
    assert "or give --eager" in result.stderr


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
        (["evaluate", "--data", ".", "--network", "base-clean"], "stages is 0"),
        (["report", "--pictures", "no.toml", "--out", "."], "no.toml holds no scores"),
        (["export", "--recipe", "no.toml", "--run", "r", "--out", "o"], "holds no checkpoint"),
    ],
)
def test_wrong_usage_is_one_sentence(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no.toml").write_text("x")
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output

"""The training command from pictures to scores."""

import errno
import json
import shutil
import sys

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
from training.lock import locked
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


def caches(folder, pictures, tune="clean"):
    """The options of two caches of the same pictures."""
    cache, held_out = folder / "cache", folder / "held-out"
    result = run("prepare", "--data", pictures, "--out", cache, "--tune", tune)
    assert result.exit_code == 0, result.output
    shutil.copytree(cache, held_out)
    return "--cache", cache, "--validation", held_out


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


def test_a_network_is_narrowed_and_trained_on(tmp_path, pictures):
    (tmp_path / "wide.toml").write_text(RECIPE.format(tune="clean").replace("channels = 4", "channels = 6"))
    one = RECIPE.format(tune="clean").replace("[2, 3, 4]", "[2]")
    others = one[one.index("[[phases]]") :].replace("[2]", "[3, 4]\nstart = { 3 = 2, 4 = 2 }")
    (tmp_path / "recipe.toml").write_text(f"{one}\n{others}")
    (tmp_path / "alone.toml").write_text(one)
    files = caches(tmp_path, pictures)
    wide = run("train", "--eager", "--recipe", tmp_path / "wide.toml", *files, "--out", tmp_path / "wide")
    assert wide.exit_code == 0, wide.output
    small = tmp_path / "small.safetensors"
    options = ("--recipe", tmp_path / "recipe.toml", *files[:2], "--out", small, "--eager")
    steps = ("--rounds", 2, "--fading", 2, "--settling", 2)
    result = run("narrow", "--start-from", tmp_path / "wide" / WEIGHTS, *options, *steps)
    assert result.exit_code == 0, result.output
    assert [line.split("  loss ")[0] for line in result.stderr.splitlines() if line.startswith("round")] == [
        "round 1 of 2",
        "round 2 of 2",
    ]
    assert len(load_file(small)["x2/head.slope"]) == 4
    more = (*files, "--start-from", small, "--out", tmp_path / "on", "--eager")
    refused = run("train", "--recipe", tmp_path / "alone.toml", *more)
    assert (refused.exit_code, "holds no x3, x4" in refused.stderr) == (1, True)
    result = run("train", "--recipe", tmp_path / "recipe.toml", *more)
    assert result.exit_code == 0, result.output
    for out, message in (
        (tmp_path / "again.safetensors", "give a wider network"),
        (small, "is the input itself; give another name"),
        (tmp_path / "again.pt", "give one that ends in .safetensors"),
        (tmp_path / "none" / "again.safetensors", "none does not exist; create it first"),
    ):
        again = run("narrow", "--start-from", small, *options, *steps, "--out", out)
        assert (again.exit_code, message in again.stderr) == (2, True)


def test_an_ablation_is_a_table_of_its_variants(tmp_path, pictures):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    (tmp_path / "ablations.toml").write_text(ABLATIONS)
    files = ("--recipe", tmp_path / "recipe.toml", *caches(tmp_path, pictures))
    more = ("--ablations", tmp_path / "ablations.toml", "--out", tmp_path / "out", "--eager")
    result = run("ablate", *files, *more)
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "out" / "ablations.md").read_text().splitlines()
    assert lines[0] == "| variant | x2/1 | x2/2 | x3/1 | x3/2 | x4/1 | x4/2 |"
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| as it is", "| wide kernels"]
    assert lines[2] != lines[3]


def test_an_ablation_of_nothing_is_refused(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    (tmp_path / "empty.toml").write_text("variants = []\ncommon = {}")
    files = ("--recipe", tmp_path / "recipe.toml", "--ablations", tmp_path / "empty.toml")
    result = run("ablate", *files, "--cache", "c", "--validation", "v", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "empty.toml is not a valid ablation file: Expected `array` of length >= 1" in result.stderr


def test_an_ablation_whose_variant_has_no_folder_of_its_own_is_refused(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    (tmp_path / "ablations.toml").write_text(ABLATIONS.replace("as it is", "(+)"))
    files = ("--recipe", tmp_path / "recipe.toml", "--ablations", tmp_path / "ablations.toml")
    result = run("ablate", *files, "--cache", "c", "--validation", "v", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "a variant named '(+)'; give it a name with a letter or a digit" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_ablation_of_a_scale_that_is_not_trained_is_refused(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    (tmp_path / "ablations.toml").write_text(ABLATIONS.replace("scales = [2]\n", "scales = [2, 4]\n"))
    files = ("--recipe", tmp_path / "recipe.toml", "--ablations", tmp_path / "ablations.toml")
    result = run("ablate", *files, "--cache", "c", "--validation", "v", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "ablations.toml, 'as it is': no phase trains or starts x4 of model.scales" in result.stderr


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
    noisy = run("evaluate-video", clip, *networks, "--crf", 23, "--frames", 3, "--noise", 60, "--json")
    for row, other in zip(rows, json.loads(noisy.stdout), strict=True):
        assert other["name"] == row["name"].replace(" CRF", " noise 60 CRF")
        assert other["psnr"] < row["psnr"] - 0.2
    (tmp_path / "video.json").write_text(scores.stdout)
    result = run(
        "report",
        "--pictures",
        tmp_path / "pictures.json",
        "--video",
        tmp_path / "video.json",
        "--out",
        tmp_path / "new" / "report",
    )
    assert result.exit_code == 0, result.output
    assert "| base-clean/1 | 10,356 | 2.37 |" in result.stdout
    assert "| base-clean/2 | 25,528 | 5.82 |" in result.stdout
    assert "| SESR-M5, published" in result.stdout
    with Image.open(tmp_path / "new" / "report" / "pareto.png") as plot:
        assert plot.size[0] > 400


def test_scales_are_those_of_the_named_networks(tmp_path, pictures):
    recipe = RECIPE.format(tune="clean").replace('name = "tiny"', 'name = "tiny"\nscales = [2, 4]')
    (tmp_path / "recipe.toml").write_text(recipe.replace("[2, 3, 4]", "[2, 4]"))
    files = ("--recipe", tmp_path / "recipe.toml", *caches(tmp_path, pictures))
    assert run("train", "--eager", *files, "--out", tmp_path / "run").exit_code == 0
    network = f"{tmp_path / 'run' / WEIGHTS}/2"
    both = ("--network", "base-clean/1", "--network", network)
    scores = json.loads(run("evaluate", "--data", pictures, *both, "--json").stdout)
    assert {s["scale"] for s in scores} == {2, 4}
    refused = run("evaluate", "--data", pictures, *both, "--scale", 2, "--scale", 3)
    assert (refused.exit_code, "scale 3 is not in weights.safetensors" in refused.stderr) == (2, True)
    taught = ("prepare", "--data", pictures, "--tune", "clean", "--teacher", network)
    assert run(*taught, "--out", tmp_path / "taught").exit_code == 0
    assert read_cache(tmp_path / "taught").keys() == {2, 4}
    assert run(*taught, "--out", tmp_path / "taught", "--scale", 4).exit_code == 0
    assert read_cache(tmp_path / "taught").keys() == {4}
    no_file = ("--network", f"{tmp_path / 'recipe.safetensors'}/1")
    result = run("evaluate", "--data", pictures, *no_file)
    assert (result.exit_code, "recipe.safetensors cannot be read as a weights file" in result.stderr) == (
        2,
        True,
    )


def test_pictures_that_cannot_be_scored_are_named_before_the_work(tmp_path, pictures, monkeypatch):
    (pictures / "Another").mkdir()
    (pictures / "Another" / "broken.png").write_bytes(b"x")
    Image.fromarray(codes(12, 40)).save(pictures / "Another" / "small.png")
    monkeypatch.setattr("training.measuring.evaluate_pictures", lambda *_: pytest.fail("this is the work"))
    result = run("evaluate", "--data", pictures, "--network", "base-clean/1", "--scale", 2)
    assert result.exit_code == 2
    assert "broken.png cannot be read as a picture" in result.stderr
    assert "small.png is 40x12; scores need sides" in result.stderr


def test_every_bad_picture_is_named_and_the_old_cache_stays(tmp_path, pictures):
    arguments = ("prepare", "--data", pictures, "--out", tmp_path / "cache", "--tune", "clean")
    assert run(*arguments).exit_code == 0
    before = (tmp_path / "cache" / "index.json").read_bytes()
    for name in ("a.png", "z.jpg"):
        (pictures / "Set" / name).write_bytes(b"x")
    for more in ((), ("--against", pictures)):
        result = run(*arguments, *more)
        assert result.exit_code == 2
        assert all(f"{name} cannot be read as a picture" in result.stderr for name in ("a.png", "z.jpg"))
    assert (tmp_path / "cache" / "index.json").read_bytes() == before


def test_pictures_that_are_left_out_are_counted(tmp_path, pictures):
    Image.fromarray(codes(200, 250)).save(pictures / "Set" / "smaller.png")
    result = run("prepare", "--data", pictures, "--out", tmp_path / "cache", "--tune", "clean")
    assert result.stdout.splitlines()[:3] == [
        "x2: 3 of 3 pictures",
        "x3: 3 of 3 pictures",
        "x4: 2 of 3 pictures, the others have a side under 256",
    ]


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
    assert (result.exit_code, "a training on another cache" in result.stderr) == (1, True)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_two_trainings_in_one_folder_are_refused(tmp_path, pictures):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    files = ("--recipe", tmp_path / "recipe.toml", *caches(tmp_path, pictures), "--out", tmp_path / "run")
    with locked(tmp_path / "run"):
        result = run("train", "--eager", *files)
    assert (result.exit_code, "another training works in" in result.stderr) == (2, True)
    assert run("train", "--eager", *files).exit_code == 0


def test_an_interruption_is_said_without_a_checkpoint_that_is_not_there(tmp_path, pictures, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("training.making.write_cache", interrupted)
    result = run("prepare", "--data", pictures, "--out", tmp_path / "cache", "--tune", "clean")
    assert (result.exit_code, result.stderr) == (1, "training: interrupted\n")


def test_a_full_disk_is_said(tmp_path, pictures, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("training.making.write_cache", full)
    result = run("prepare", "--data", pictures, "--out", tmp_path / "cache", "--tune", "clean")
    assert (result.exit_code, result.stderr) == (
        1,
        "training: error: writing failed: no space left on device\n",
    )


def test_a_missing_compiler_is_said(tmp_path, pictures, monkeypatch):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean"))
    files = ("--recipe", tmp_path / "recipe.toml", *caches(tmp_path, pictures))
    monkeypatch.setenv("CXX", "no-such-compiler")
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
    ("out", "message"), [("same.png", "is the input itself"), ("sheet.jpg", "is no name of a PNG file")]
)
def test_a_comparison_never_overwrites_its_picture(tmp_path, pictures, out, message):
    picture = next(pictures.rglob("*.png")).rename(tmp_path / "same.png")
    before = picture.read_bytes()
    result = run("compare", picture, "--network", "base-clean/2", "--out", tmp_path / out)
    assert result.exit_code == 2
    assert message in result.stderr
    assert picture.read_bytes() == before


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

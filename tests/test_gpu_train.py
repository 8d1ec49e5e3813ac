"""``scripts/gpu_train`` and ``scripts/pack_pictures``; here without a GPU and without a decoder of video."""

import subprocess
import sys

import pytest
from PIL import Image

from tests.material import codes, without
from tests.training.conftest import RECIPE
from training.pictures import find_pictures, read_luma

TINY = RECIPE.format(tune="clean").replace("scales = [2, 3, 4]", "scales = [2]")
TINY = TINY.replace('name = "tiny"', 'name = "tiny"\nscales = [2]')
AGAIN = TINY[TINY.index("[[phases]]") :]


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(2):
        rgb = Image.merge("RGB", [Image.fromarray(codes(260, 270, seed=3 * i + c)) for c in range(3)])
        rgb.resize((540, 520), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


def run(pytestconfig, name, *arguments):
    program = without("av", "pytorch_optimizer", "vapoursynth")
    command = [sys.executable, "-c", program, pytestconfig.rootpath / "scripts" / name, *arguments]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def test_packed_pictures_are_the_luma_of_the_pictures(tmp_path, pictures, pytestconfig):
    result = run(pytestconfig, "pack_pictures", "--data", pictures, "--out", tmp_path / "packed")
    assert result.returncode == 0, result.stderr
    packed = find_pictures(tmp_path / "packed")
    assert len(packed) == 2
    for small, whole in zip(packed, find_pictures(pictures), strict=True):
        difference = read_luma(small).astype(float) - read_luma(whole)
        assert (difference**2).mean() ** 0.5 < 4
    assert run(pytestconfig, "pack_pictures", "--data", "none", "--out", tmp_path / "x").returncode == 2
    again = run(pytestconfig, "pack_pictures", "--data", pictures, "--out", tmp_path / "packed")
    assert (again.returncode, "packed is not empty" in again.stderr) == (2, True)
    known = run(
        pytestconfig, "pack_pictures", "--data", pictures, "--out", tmp_path / "y", "--against", pictures
    )
    assert (known.returncode, "of a test set, take them out" in known.stderr) == (2, True)


def test_steps_are_timed_and_too_little_time_is_said(tmp_path, pictures, pytestconfig):
    (tmp_path / "tiny.toml").write_text(TINY + AGAIN)
    options = ("--data", pictures, "--validation", pictures, "--out", tmp_path, "--seconds", "0.1")
    result = run(pytestconfig, "gpu_train", tmp_path / "tiny.toml", *options, "--device", "cpu")
    assert result.returncode == 2
    # Of two pictures, each reduced from four places, for x2 alone.
    assert "8 pairs after" in result.stdout
    for phase in (0, 1):
        assert f"tiny phase {phase}, x2, 1 crops:" in result.stdout
    assert "0 s are too few" in result.stderr


def test_losses_that_are_not_finite_are_not_timed(tmp_path, pictures, pytestconfig):
    (tmp_path / "tiny.toml").write_text(TINY + AGAIN.replace("1e-3", "1e6"))
    options = ("--data", pictures, "--validation", pictures, "--out", tmp_path, "--seconds", "99")
    result = run(pytestconfig, "gpu_train", tmp_path / "tiny.toml", *options, "--device", "cpu")
    assert result.returncode == 1
    assert "the loss of tiny is nan after 30 steps of phase 1; lower its learning_rate" in result.stderr


def test_missing_recipes_and_pictures_are_said_in_a_sentence(tmp_path, pictures, pytestconfig):
    (tmp_path / "tiny.toml").write_text(TINY)
    for recipe, data in (("none.toml", pictures), ("tiny.toml", tmp_path / "none")):
        options = ("--data", data, "--validation", pictures, "--out", tmp_path, "--seconds", "1")
        result = run(pytestconfig, "gpu_train", tmp_path / recipe, *options, "--device", "cpu")
        assert result.returncode == 2
        assert result.stderr.startswith("gpu_train: error: ")
        assert "none" in result.stderr
        assert "Traceback" not in result.stderr


def test_pictures_too_small_for_a_scale_that_is_trained_are_said_in_a_sentence(tmp_path, pytestconfig):
    (tmp_path / "tiny.toml").write_text(TINY)
    options = ("--data", tmp_path, "--validation", tmp_path, "--out", tmp_path, "--seconds", "0.1")
    # 2 * 64 + 1 pixels are a picture for x2, and x3 and x4 are not trained.
    for side, message in (
        (128, f"no picture in {tmp_path} is large enough for x2; a side must be at least 129 pixels"),
        (129, "0 s are too few; give more"),
    ):
        Image.fromarray(codes(side, side, seed=1)).save(tmp_path / "small.png")
        result = run(pytestconfig, "gpu_train", tmp_path / "tiny.toml", *options, "--device", "cpu")
        assert result.returncode == 2
        assert result.stderr == f"gpu_train: error: {message}\n"


def test_recipes_of_one_file_name_are_refused_before_any_work(tmp_path, pytestconfig):
    recipes = [tmp_path / folder / "tiny.toml" for folder in ("a", "b")]
    for path in recipes:
        path.parent.mkdir()
        path.write_text(TINY)
    options = ("--data", tmp_path, "--validation", tmp_path, "--out", tmp_path / "out", "--seconds", "1")
    result = run(pytestconfig, "gpu_train", *recipes, *options, "--device", "cpu")
    assert result.returncode == 2
    assert result.stderr == (
        f"gpu_train: error: {recipes[0]} and {recipes[1]} have one file name, so that their results would "
        "overwrite each other; rename one\n"
    )
    assert not (tmp_path / "out").exists()


def test_recipes_for_video_are_refused_before_any_work(tmp_path, pytestconfig):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.replace('tune = "clean"', 'tune = "video"'))
    options = ("--data", tmp_path, "--validation", tmp_path, "--out", tmp_path / "out", "--seconds", "1")
    result = run(pytestconfig, "gpu_train", path, *options, "--device", "cpu")
    assert result.returncode == 2
    assert result.stderr == (
        f"gpu_train: error: {path} is for the tune 'video', and the pairs made here are for 'clean'; train "
        "it by 'python -m training train'\n"
    )
    assert not (tmp_path / "out").exists()

"""``scripts/gpu_train`` and ``scripts/pack_pictures``; here without a GPU and without a decoder of video."""

import subprocess
import sys

import pytest
from PIL import Image

from tests.conftest import codes
from training.pictures import find_pictures, read_luma

RECIPE = """
[model]
name = "tiny"
tune = "clean"
shape = { channels = 4, stage1 = 1, stage2 = 2 }
scales = [2]

[optimizer]
name = "soap"
vector_rate = 0.3

[schedule]
warmup = 1
ema = 0.9
seed = 1
evaluate_every = 100
checkpoint_every = 100

[loss]
stage1 = 0.5
tasks = { luminance = 0.1, contrast = 0.1, structure = 0.1, distribution = 0.01 }
sample = 1

[[phases]]
scales = [2]
steps = 10
batch = 1
crop = 24
learning_rate = 1e-3
"""
BLOCK = """
import runpy, sys
for name in ("av", "pytorch_optimizer", "vapoursynth"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(2):
        rgb = Image.merge("RGB", [Image.fromarray(codes(260, 270, seed=3 * i + c)) for c in range(3)])
        rgb.resize((540, 520), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


def run(pytestconfig, name, *arguments):
    command = [sys.executable, "-c", BLOCK, pytestconfig.rootpath / "scripts" / name, *arguments]
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


def test_steps_are_timed_and_too_little_time_is_said(tmp_path, pictures, pytestconfig):
    (tmp_path / "tiny.toml").write_text(RECIPE)
    options = ("--data", pictures, "--validation", pictures, "--out", tmp_path, "--seconds", "0.1")
    result = run(pytestconfig, "gpu_train", tmp_path / "tiny.toml", *options, "--device", "cpu")
    assert result.returncode == 2
    assert "24 pairs after" in result.stdout
    assert "tiny phase 0, x2, 1 crops:" in result.stdout
    assert "0 s are too few" in result.stderr


def test_missing_recipes_and_pictures_are_said_in_a_sentence(tmp_path, pictures, pytestconfig):
    (tmp_path / "tiny.toml").write_text(RECIPE)
    for recipe, data in (("none.toml", pictures), ("tiny.toml", tmp_path / "none")):
        options = ("--data", data, "--validation", pictures, "--out", tmp_path, "--seconds", "1")
        result = run(pytestconfig, "gpu_train", tmp_path / recipe, *options, "--device", "cpu")
        assert result.returncode == 2
        assert result.stderr.startswith("gpu_train: error: ")
        assert "none" in result.stderr
        assert "Traceback" not in result.stderr

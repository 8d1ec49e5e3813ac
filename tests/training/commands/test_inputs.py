"""What commands make of their options."""

import json

import pytest

from tests.material import codes
from tests.training.commands.command_line import caches, run
from tests.training.conftest import RECIPE
from training.cache import CacheError, read_cache, write_cache
from training.commands.inputs import chosen_scales, read_checked_cache
from training.loop import WEIGHTS
from training.pairs import clean_pair
from vs_emtcm.errors import UsageError
from vs_emtcm.models import find


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


def test_each_scale_is_taken_once_and_checked():
    assert chosen_scales([4, 2, 4], []) == (4, 2)
    assert chosen_scales(None, []) == (2, 3, 4)
    with pytest.raises(UsageError, match="scale is 5; accepted are 2, 3 and 4"):
        chosen_scales([2, 5], [])


@pytest.mark.parametrize("command", ["train", "ablate", "narrow"])
@pytest.mark.parametrize("damaged", ["cache", "held-out"])
def test_damaged_pixels_are_not_trained_on(tmp_path, pictures, command, damaged):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean").replace("[2, 3, 4]", "[2]"))
    files = caches(tmp_path, pictures)
    path = tmp_path / damaged / "pixels.bin"
    pixels = path.read_bytes()
    path.write_bytes(bytes(len(pixels) // 3) + pixels[len(pixels) // 3 :])
    out = tmp_path / "out.safetensors"
    if command == "narrow":
        # It validates nothing.
        files = ("--cache", tmp_path / damaged, "--start-from", find("large", "clean").path)
    result = run(command, "--recipe", tmp_path / "recipe.toml", *files, "--out", out)
    refusal = f"training: error: {tmp_path / damaged} is damaged; run 'python -m training prepare' again\n"
    assert (result.exit_code, result.stderr, out.exists()) == (2, refusal, False)


def test_the_first_of_several_processes_reads_the_pixels(tmp_path, monkeypatch):
    write_cache(tmp_path, [clean_pair(codes(80, 80), 2)])
    (tmp_path / "pixels.bin").write_bytes(bytes((tmp_path / "pixels.bin").stat().st_size))
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert read_checked_cache(tmp_path, "clean").keys() == {2}
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(CacheError, match="is damaged"):
        read_checked_cache(tmp_path, "clean")


@pytest.mark.parametrize("command", ["train", "ablate", "narrow"])
@pytest.mark.parametrize("other", ["cache", "held-out"])
def test_pairs_for_another_tune_are_refused(tmp_path, pictures, command, other):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(tune="clean").replace("[2, 3, 4]", "[2]"))
    files = caches(tmp_path, pictures)
    video = ("--data", pictures, "--out", tmp_path / other, "--tune", "video", "--scale", 2)
    assert run("prepare", *video).exit_code == 0
    if command == "narrow":
        files = ("--cache", tmp_path / other, "--start-from", find("large", "clean").path)
    out = tmp_path / "out.safetensors"
    result = run(command, "--recipe", tmp_path / "recipe.toml", *files, "--out", out)
    said = (
        f"training: error: {tmp_path / other} is a cache for the tune 'video', and the recipe's is 'clean'; "
    )
    assert (result.exit_code, result.stderr.startswith(said), out.exists()) == (2, True, False)

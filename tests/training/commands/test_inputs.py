"""What commands make of their options."""

import json

import pytest

from tests.training.commands.command_line import caches, run
from tests.training.conftest import RECIPE
from training.cache import read_cache
from training.commands.inputs import chosen_scales
from training.loop import WEIGHTS
from vs_emtcm.errors import UsageError


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

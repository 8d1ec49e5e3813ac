"""Recipes are read strictly."""

import copy
import tomllib

import msgspec
import pytest
from safetensors import safe_open

from training.config import (
    ConfigError,
    Loss,
    Model,
    Optimizer,
    Phase,
    Schedule,
    load_recipe,
    parse_recipe,
    read_toml,
)
from vs_emtcm.models import find


@pytest.fixture
def tables(pytestconfig):
    return read_toml(pytestconfig.rootpath / "training" / "recipes" / "base-clean.toml")


def test_the_checked_in_recipes_are_named_after_their_models(pytestconfig):
    paths = sorted((pytestconfig.rootpath / "training" / "recipes").rglob("*.toml"))
    assert paths
    for path in paths:
        model = load_recipe(path).model
        assert path.stem == f"{model.name}-{model.tune}"


def test_the_shipped_base_says_how_many_steps_its_recipe_has(pytestconfig):
    recipe = load_recipe(pytestconfig.rootpath / "training" / "recipes" / "taught" / "base-clean.toml")
    with safe_open(find("base", "clean").path, "numpy") as file:
        assert file.metadata()["steps"] == str(recipe.steps)


def test_the_documentation_has_a_recipe_and_every_key(pytestconfig):
    text = (pytestconfig.rootpath / "docs" / "model.md").read_text()
    recipe = text.partition("```toml\n")[2].partition("```")[0]
    assert parse_recipe(tomllib.loads(recipe), "docs/model.md").steps == 800
    sections = {"model": Model, "optimizer": Optimizer, "schedule": Schedule, "loss": Loss, "phases": Phase}
    for section, struct in sections.items():
        for field in msgspec.structs.fields(struct):
            assert f"`{section}.{field.encode_name}`" in text


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("model", "typo", 1, "unknown field `typo`"),
        ("model", "tune", "anime", "Invalid enum value 'anime'"),
        ("optimizer", "name", "sgd", "Invalid enum value 'sgd'"),
        ("schedule", "warmup", 0, ">= 1"),
        ("loss", "sample", 100, "more than a batch"),
        ("model", "width", 1_000_000_000, "<= 8192"),
        ("optimizer", "vector_rate", 1e300, r"vector_rate is 1e\+300; give at most 1e\+06"),
        ("optimizer", "weight_decay", 1e300, "weight_decay is .* at most"),
        ("schedule", "seed", "1", "Expected `int`, got `str`"),
        ("schedule", "warmup", 10**6, r"warmup is 1000000, more than the 34800 steps of phases\[0\]"),
        ("phases", "steps", 5000.0, "Expected `int`, got `float`"),
        ("phases", "batch", 10**12, "<= 65536"),
        ("phases", "crop", 10**30, "Integer value out of range|<= 65536"),
        ("phases", "learning_rate", 4e38, "learning_rate is .* at most"),
        ("phases", "end_rate", 0.02, r"end_rate of phases\[0\] is 0.02, above its learning_rate of 0.01"),
        ("model", "scales", [], "length >= 1"),
        ("model", "scales", [2, 2, 3, 4], "name each once"),
        ("model", "scales", [2, 3], "names scale 4"),
        ("schedule", "seed", -1, ">= 0"),
        ("schedule", "seed", 2**63, "<= 9223372036854775807"),
        ("loss", "stage1", -0.5, ">= 0"),
        ("phases", "scales", [5], "Invalid enum value 5"),
        ("phases", "learning_rate", "fast", "Expected `float`"),
        ("phases", "learning_rate", float("inf"), "learning_rate is inf; give a finite number"),
    ],
)
def test_mistakes_are_named(tables, section, key, value, message):
    wrong = copy.deepcopy(tables)
    table = wrong[section][0] if section == "phases" else wrong[section]
    table[key] = value
    with pytest.raises(ConfigError, match=message):
        parse_recipe(wrong, "a test")


@pytest.mark.parametrize(
    ("section", "table", "key", "value", "message"),
    [
        ("model", "shape", "stage3", 1, "unknown field `stage3`"),
        ("model", "shape", "channels", 0, ">= 1"),
        ("model", "shape", "stage2", 0, ">= 1"),
        ("model", "shape", "channels", 100_000, "<= 1024"),
        ("model", "shape", "stage1", 1_000_000, "<= 256"),
        ("loss", "tasks", "structre", 0.0, "unknown field `structre`"),
        ("loss", "tasks", "structure", -1.0, ">= 0"),
        ("loss", "tasks", "structure", float("nan"), ">= 0"),
    ],
)
def test_mistakes_in_inner_tables_are_named(tables, section, table, key, value, message):
    wrong = copy.deepcopy(tables)
    wrong[section][table][key] = value
    with pytest.raises(ConfigError, match=message):
        parse_recipe(wrong, "a test")


def test_a_scale_cannot_start_from_itself(tables):
    tables["phases"][1]["start"] = {"3": 3}
    with pytest.raises(ConfigError, match="a phase starts x3 from itself; name another scale"):
        parse_recipe(tables, "a test")


def test_one_stage_must_count(tables):
    tables["loss"] |= {"stage1": 0.0, "stage2": 0.0}
    with pytest.raises(ConfigError, match="one of them must count"):
        parse_recipe(tables, "a test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"steps = ", "is not a TOML file"),
        (b"", "missing required field"),
        (b'name = "\xff"', "is not a TOML file: .*utf-8"),
        (b"a = " + 5000 * b"[" + 5000 * b"]", "is not a TOML file: it is nested too deeply"),
        (b"a = " + 5000 * b"1", "is not a TOML file: "),
    ],
)
def test_files_that_are_no_recipes_are_refused(tmp_path, text, message):
    path = tmp_path / "recipe.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=message):
        load_recipe(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")


def test_a_one_cycle_schedule_has_no_warmup(tables):
    tables["schedule"] |= {"form": "one-cycle", "warmup": 10**6}
    assert parse_recipe(tables, "a test").schedule.warmup == 10**6

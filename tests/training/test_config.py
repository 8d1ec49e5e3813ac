"""Recipes are read strictly."""

import copy

import pytest

from training.config import ConfigError, load_recipe, parse_recipe, read_toml


@pytest.fixture
def tables(pytestconfig):
    return read_toml(pytestconfig.rootpath / "training" / "recipes" / "base-clean.toml")


def test_the_checked_in_recipes_are_named_after_their_models(pytestconfig):
    for path in sorted((pytestconfig.rootpath / "training" / "recipes").rglob("*.toml")):
        model = load_recipe(path).model
        assert path.stem == f"{model.name}-{model.tune}"


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("model", "typo", 1, "unknown field `typo`"),
        ("model", "tune", "anime", "Invalid enum value 'anime'"),
        ("optimizer", "name", "sgd", "Invalid enum value 'sgd'"),
        ("schedule", "warmup", 0, ">= 1"),
        ("loss", "sample", 100, "more than a batch"),
        ("phases", "scales", [5], "names scale 5"),
        ("phases", "learning_rate", "fast", "Expected `float`"),
    ],
)
def test_mistakes_are_named(tables, section, key, value, message):
    wrong = copy.deepcopy(tables)
    table = wrong[section][0] if section == "phases" else wrong[section]
    table[key] = value
    with pytest.raises(ConfigError, match=message):
        parse_recipe(wrong, "a test")


@pytest.mark.parametrize(
    ("text", "message"), [("steps = ", "is not a TOML file"), ("", "missing required field")]
)
def test_files_that_are_no_recipes_are_refused(tmp_path, text, message):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_recipe(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")

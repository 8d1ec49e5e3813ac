"""Variants are recipes with one thing changed."""

import pytest

from training.ablate import Variant, ablation_table, folder_name, overridden, variants
from training.config import ConfigError
from training.report import gmac


def test_the_cost_in_the_name_of_an_ablation_is_its_networks(pytestconfig):
    folder = pytestconfig.rootpath / "training"
    recipes = variants(folder / "recipes" / "base-clean.toml", folder / "ablations.toml")
    (name,) = [name for name in recipes if "GMAC" in name]
    assert f"({gmac(recipes[name].model.shape, 2, 1):.2f} GMAC)" in name
    assert f"| {name} |" in (pytestconfig.rootpath / "docs" / "model.md").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'a = "\xff"', "is not a TOML file: .*utf-8"),
        (b"a = " + 5000 * b"[" + 5000 * b"]", "is not a TOML file: it is nested too deeply"),
        (b"[common" + 5000 * b".a" + b"]\n[[variants]]\nname = 'a'", "is not a valid|nested too deeply"),
        (b"[common]\n[[variants]]\nname = 'a'\n[variants.set" + 5000 * b".a" + b"]", "is not a valid|nested"),
    ],
)
def test_files_that_are_no_ablations_are_refused(tmp_path, pytestconfig, text, message):
    path = tmp_path / "ablations.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=message):
        variants(pytestconfig.rootpath / "training" / "recipes" / "base-clean.toml", path)


def test_tables_are_overridden_each_other_at_any_depth():
    below = {"a": 1, "b": {"c": 2, "d": {"e": 3}}, "f": [1]}
    above = {"b": {"d": {"e": 4, "g": 5}}, "f": [2, 3], "a": {"h": 6}}
    assert overridden(below, above) == {"a": {"h": 6}, "b": {"c": 2, "d": {"e": 4, "g": 5}}, "f": [2, 3]}
    assert below == {"a": 1, "b": {"c": 2, "d": {"e": 3}}, "f": [1]}


def test_a_folder_is_the_words_of_a_name():
    assert folder_name("Wide kernels (128 channels), SOAP") == "wide-kernels-128-channels-soap"


def test_variants_have_settings_of_their_own():
    assert Variant(name="a").set is not Variant(name="b").set


def test_scores_of_scales_that_a_variant_has_not_are_dashes():
    lines = ablation_table({"a": {"x2/1 PSNR": 30.0, "x2/1 SSIM": 0.9}}).splitlines()
    assert lines[2] == "| a | 30.00 / 0.9000 | - | - | - | - | - |"

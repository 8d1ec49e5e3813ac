"""Variants of a recipe are trained and compared."""

from tests.training.commands.command_line import caches, run
from tests.training.conftest import RECIPE

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

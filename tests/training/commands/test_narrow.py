"""A trained network becomes a smaller one."""

from safetensors.numpy import load_file

from tests.training.commands.command_line import caches, run
from tests.training.conftest import RECIPE
from training.loop import WEIGHTS


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
    assert (refused.exit_code, "holds no x3, x4" in refused.stderr) == (2, True)
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

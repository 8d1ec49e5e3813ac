"""The command line, run in this process."""

import shutil

from typer.testing import CliRunner

from training.cli import app


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def caches(folder, pictures, tune="clean"):
    """The options of two caches of the same pictures."""
    cache, held_out = folder / "cache", folder / "held-out"
    result = run("prepare", "--data", pictures, "--out", cache, "--tune", tune)
    assert result.exit_code == 0, result.output
    shutil.copytree(cache, held_out)
    return "--cache", cache, "--validation", held_out

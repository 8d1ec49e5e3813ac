"""``export``: from a run's checkpoint to a weights file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.checkpoint import CHECKPOINT
from training.commands.exit import training_exit_codes
from training.commands.inputs import check_weights_file
from training.commands.options import RecipeFile
from training.config import load_recipe
from training.run import Run
from vs_emtcm.errors import UsageError


def export(
    recipe: RecipeFile,
    run: Annotated[Path, typer.Option(help="The run's folder.")],
    out: Annotated[Path, typer.Option(help="The weights file to write.")],
) -> None:
    """Collapse a run's averaged weights into the deployed form."""
    with training_exit_codes():
        if not (run / CHECKPOINT).is_file():
            raise UsageError(f"{run} holds no {CHECKPOINT}; give the folder of a run")
        check_weights_file(run / CHECKPOINT, out)
        Run(load_recipe(recipe), run).export(out)

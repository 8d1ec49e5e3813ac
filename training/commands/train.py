"""``train``: from a recipe and a cache to a run's checkpoint and weights."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from training.cache import fingerprint
from training.checkpoint import CHECKPOINT
from training.commands.exit import training_exit_codes
from training.commands.inputs import read_two_caches, set_threads, shall_compile
from training.commands.options import Amx, Cache, Device, Eager, RecipeFile, Threads, Validation
from training.config import load_recipe
from training.distributed import join, training_device
from training.folders import remove_partial_files
from training.lock import locked
from training.loop import train as train_run
from training.run import Run


def train(
    recipe: RecipeFile,
    cache: Cache,
    validation: Validation,
    out: Annotated[Path, typer.Option(help="Folder of the run; an unfinished run there goes on.")],
    start_from: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a finished run, or a weights file, that a new run starts from. A run "
            "that goes on has its own weights; only the start that it began from may be given again."
        ),
    ] = None,
    device: Device = "cpu",
    threads: Threads = 0,
    eager: Eager = False,
    amx: Amx = False,
) -> None:
    """Train all scales of a model. Under torchrun, several processes share every batch."""
    set_threads(threads)
    with training_exit_codes():
        settings, where = load_recipe(recipe), training_device(device)
        start = start_from / CHECKPOINT if start_from is not None and start_from.is_dir() else start_from
        pairs, held_out = read_two_caches(cache, validation, [settings.model.tune])
        compiled = shall_compile(eager, where)
        with join(where) as part, locked(out) if part.rank == 0 else nullcontext():
            if part.rank == 0:
                remove_partial_files(out)
            run = Run(
                settings,
                out,
                start=start,
                device=where,
                part=part,
                compiled=compiled,
                amx=amx,
                cache=fingerprint(cache),
            )
            train_run(run, pairs, held_out)

"""``ablate``: short trainings of a recipe's variants and a table of their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.ablate import ablation_table, run_variant, variants
from training.cache import fingerprint
from training.commands.exit import training_exit_codes
from training.commands.inputs import read_two_caches, set_threads, shall_compile
from training.commands.options import Amx, Cache, Device, Eager, RecipeFile, Threads, Validation
from training.distributed import refuse_several_processes, training_device
from vs_emtcm.output import complete_file

ABLATIONS = Path(__file__).parent.with_name("ablations.toml")


def ablate(
    recipe: RecipeFile,
    cache: Cache,
    validation: Validation,
    out: Annotated[Path, typer.Option(help="Folder of the runs; finished ones are kept.")],
    ablations: Annotated[
        Path, typer.Option(help="A TOML file of variants.", show_default="training/ablations.toml")
    ] = ABLATIONS,
    device: Device = "cpu",
    threads: Threads = 0,
    eager: Eager = False,
    amx: Amx = False,
) -> None:
    """Train short variants of a recipe, each with one thing changed, and print a table."""
    set_threads(threads)
    with training_exit_codes():
        refuse_several_processes("ablate")
        where = training_device(device)
        recipes = variants(recipe, ablations)
        tunes = {variant.model.tune for variant in recipes.values()}
        pairs, held_out = read_two_caches(cache, validation, tunes)
        compiled, cache_name = shall_compile(eager, where), fingerprint(cache)
        scores = {
            name: run_variant(
                name,
                variant,
                out,
                pairs,
                held_out,
                cache=cache_name,
                device=where,
                compiled=compiled,
                amx=amx,
            )
            for name, variant in recipes.items()
        }
        table = ablation_table(scores)
        with complete_file(out / "ablations.md") as temporary:
            temporary.write_text(f"{table}\n")
    print(table)

"""``narrow``: from the weights of a larger network to those of a smaller one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import torch
import typer

from training.commands.exit import training_exit_codes
from training.commands.inputs import check_weights_file, read_checked_cache, set_threads, shall_compile
from training.commands.options import Amx, Cache, Eager, RecipeFile, Threads
from training.config import load_recipe
from training.crops import CropSource
from training.distributed import refuse_several_processes
from training.files import read_model, write_weights
from training.log import progress_bar
from training.narrow import narrow as narrow_network
from vs_emtcm.errors import UsageError


def narrow(
    recipe: RecipeFile,
    start_from: Annotated[Path, typer.Option(help="A weights file of a larger network.")],
    cache: Cache,
    out: Annotated[Path, typer.Option(help="The weights file to write, for 'train --start-from'.")],
    rounds: Annotated[int, typer.Option(min=1, help="In which features go.")] = 3,
    fading: Annotated[int, typer.Option(min=1, help="Steps of a round in which they fade out.")] = 850,
    settling: Annotated[int, typer.Option(min=1, help="Steps of a round without them.")] = 400,
    threads: Threads = 0,
    eager: Eager = False,
    amx: Amx = False,
) -> None:
    """Make the network of a recipe's first phase out of a larger one."""
    set_threads(threads)
    with training_exit_codes():
        refuse_several_processes("narrow")
        settings, cpu = load_recipe(recipe), torch.device("cpu")
        first = settings.phases[0]
        if len(first.scales) > 1:
            raise UsageError(f"the first phase of {recipe} has several scales; narrow takes one")
        (scale,) = first.scales
        check_weights_file(start_from, out)
        compiled = shall_compile(eager, cpu)
        weights, pairs = read_model(start_from, scale), read_checked_cache(cache, settings.model.tune)
        if scale not in pairs:
            raise UsageError(f"{cache} holds no pairs for x{scale}; run 'python -m training prepare'")
        source, steps = CropSource(pairs[scale], first.crop, cpu), fading + settling
        with progress_bar() as progress:
            task = progress.add_task("narrowing", total=rounds * steps, rate="")

            def advance(done: int, loss: float) -> None:
                progress.update(task, completed=done, rate=f"loss {loss:.4g}")
                if done % steps == 0:
                    progress.console.print(f"round {done // steps} of {rounds}  loss {loss:.5g}")

            form = narrow_network(
                settings,
                weights,
                source,
                rounds=rounds,
                fading=fading,
                settling=settling,
                compiled=compiled,
                amx=amx,
                advance=advance,
            )
        model = msgspec.structs.replace(settings.model, scales=(scale,))
        write_weights(out, form, model, rounds * steps)
    print(out)

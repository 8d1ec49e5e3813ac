"""The commands that make models: prepare, train, narrow, ablate, export."""

from __future__ import annotations

import os
import shutil
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import torch
import typer

from training.ablate import ablation_table, run_variant, variants
from training.cache import (
    SMALLEST,
    Pair,
    PairStore,
    clean_pairs,
    fingerprint,
    read_cache,
    smallest_side,
    write_cache,
)
from training.codec import FRAMES as CLIP_FRAMES
from training.codec import MAXIMUM_PAN, degraded_pair, draw_degradation
from training.config import load_recipe
from training.crops import CropSource
from training.distributed import join, training_device
from training.evaluate import (
    networks,
)
from training.files import write_weights
from training.lock import locked
from training.log import progress_bar
from training.loop import train as run_training
from training.narrow import narrow as make_narrow
from training.options import (
    Amx,
    Cache,
    Device,
    Eager,
    Recipe,
    Threads,
    Validation,
    chosen_scales,
    command_errors,
)
from training.pictures import PictureError, each_picture, find_pictures, read_luma
from training.run import CHECKPOINT, Run
from training.similar import refuse_similar
from training.teacher import taught
from vs_emtcm.errors import UsageError
from vs_emtcm.models import load
from vs_emtcm.output import check_output, complete_file

ABLATIONS = Path(__file__).with_name("ablations.toml")


def _compiles(eager: bool, device: torch.device) -> bool:
    """Whether the loss is compiled: unless the user does not want it.

    Raises:
        UsageError: there is no compiler.
    """
    compiler = os.environ.get("CXX", "g++")
    if not eager and device.type == "cpu" and sys.platform == "linux" and shutil.which(compiler) is None:
        raise UsageError(
            f"there is no C++ compiler {compiler!r} to compile the loss with; install g++, name another in "
            "CXX, or give --eager"
        )
    return not eager


def _two_caches(cache: Path, validation: Path) -> tuple[Mapping[int, PairStore], Mapping[int, PairStore]]:
    pairs, held_out = read_cache(cache), read_cache(validation)
    if cache.samefile(validation):
        raise UsageError(
            f"{cache} is given as --cache and as --validation; validate on pictures that are not trained on"
        )
    return pairs, held_out


def _check_weights_file(source: Path, out: Path) -> None:
    """Refuse a name of a weights file that is of no use, before the work."""
    if out.suffix != ".safetensors":
        raise UsageError(f"{out} is no name of a weights file; give one that ends in .safetensors")
    check_output(source, out, overwrite=True)


def _smallest_side(tune: str, shifted: bool, scale: int) -> int:
    """Pixels that a side of a picture must have to give pairs of this scale."""
    if tune == "clean":
        return smallest_side(scale, shifted)
    return (SMALLEST + 2) * scale + MAXIMUM_PAN * (CLIP_FRAMES - 1)


def _pairs(
    paths: list[Path], tune: str, shifted: bool, encodes: int, scales: Sequence[int], taken: Counter[int]
) -> Iterator[Pair]:
    """Those of all pictures that are large enough; ``taken`` counts these by scale."""
    for path, luma in each_picture(paths, read_luma):
        for scale in scales:
            if min(luma.shape) < _smallest_side(tune, shifted, scale):
                continue
            taken[scale] += 1
            if tune == "clean":
                yield from clean_pairs(luma, scale, shifted)
            else:
                for number in range(encodes):
                    # The same pictures always give the same cache.
                    rng = np.random.default_rng(zlib.crc32(f"{path.name}{scale}{number or ''}".encode()))
                    yield degraded_pair(luma, scale, draw_degradation(rng), rng)


def prepare(
    data: Annotated[list[Path], typer.Option(help="Folder of pictures; may be given several times.")],
    out: Annotated[Path, typer.Option(help="Folder of the cache.")],
    tune: Annotated[str, typer.Option(help="clean: bicubic reductions; video: real encodes.")],
    against: Annotated[
        list[Path] | None, typer.Option(help="Test sets: refuse pictures that look like one of theirs.")
    ] = None,
    shifted: Annotated[
        bool,
        typer.Option("--shifted", help="clean: reduce each picture from four places of the pixel grid."),
    ] = False,
    encodes: Annotated[
        int, typer.Option(min=1, help="video: encode each picture so many times, each time in another way.")
    ] = 1,
    teacher: Annotated[
        str | None,
        typer.Option(help="A network, named as for 'evaluate', that makes half of every target."),
    ] = None,
    scale: Annotated[
        list[int] | None,
        typer.Option(help="May be given several times; without it, 2, 3 and 4, or what the teacher has."),
    ] = None,
) -> None:
    """Decode pictures once, make their low-resolution versions, and store both."""
    with command_errors():
        if tune not in ("clean", "video"):
            raise UsageError(f"tune is {tune!r}; accepted are clean and video")
        if shifted and tune != "clean":
            raise UsageError("--shifted is for tune clean; encodes begin at random places anyway")
        if encodes > 1 and tune != "video":
            raise UsageError("--encodes is for tune video; tune clean encodes nothing")
        scales = chosen_scales(scale, [] if teacher is None else [teacher])
        teachers = {} if teacher is None else {s: networks([teacher], s)[teacher] for s in scales}
        paths = [path for folder in data for path in find_pictures(folder)]
        tests = [path for folder in against or () for path in find_pictures(folder)]
        if tests:
            refuse_similar(paths, tests)
        taken: Counter[int] = Counter()
        pairs = _pairs(paths, tune, shifted, encodes, scales, taken)
        if teacher is not None:
            pairs = (taught(pair, teachers[pair.scale]) for pair in pairs)
        count = write_cache(out, pairs)
        if count == 0:
            side = _smallest_side(tune, shifted, min(scales))
            raise PictureError(f"no picture is large enough; a side must be at least {side} pixels")
    for s in scales:
        side = _smallest_side(tune, shifted, s)
        others = "" if taken[s] == len(paths) else f", the others have a side under {side}"
        print(f"x{s}: {taken[s]} of {len(paths)} pictures{others}")
    print(f"{count} pairs in {out}")


def train(
    recipe: Recipe,
    cache: Cache,
    validation: Validation,
    out: Annotated[Path, typer.Option(help="Folder of the run; an unfinished run there goes on.")],
    start_from: Annotated[
        Path | None, typer.Option(help="Folder of a finished run, or a weights file, to start from.")
    ] = None,
    device: Device = "cpu",
    threads: Threads = 0,
    eager: Eager = False,
    amx: Amx = False,
) -> None:
    """Train all scales of a model. Under torchrun, several processes share every batch."""
    if threads:
        torch.set_num_threads(threads)
    with command_errors():
        settings, where = load_recipe(recipe), training_device(device)
        start = start_from / CHECKPOINT if start_from is not None and start_from.is_dir() else start_from
        pairs, held_out = _two_caches(cache, validation)
        compiled = _compiles(eager, where)
        with join(where) as part, locked(out) if part.rank == 0 else nullcontext():
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
            run_training(run, pairs, held_out)


def narrow(
    recipe: Recipe,
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
    if threads:
        torch.set_num_threads(threads)
    with command_errors():
        settings, cpu = load_recipe(recipe), torch.device("cpu")
        first = settings.phases[0]
        if len(first.scales) > 1:
            raise UsageError(f"the first phase of {recipe} has several scales; narrow takes one")
        (scale,) = first.scales
        _check_weights_file(start_from, out)
        weights, pairs = load(start_from, scale), read_cache(cache)
        if scale not in pairs:
            raise UsageError(f"{cache} holds no pairs for x{scale}; run 'python -m training prepare'")
        source, steps = CropSource(pairs[scale], first.crop, cpu), fading + settling
        with progress_bar() as progress:
            task = progress.add_task("narrowing", total=rounds * steps, rate="")

            def advance(done: int, loss: float) -> None:
                progress.update(task, completed=done, rate=f"loss {loss:.4g}")
                if done % steps == 0:
                    progress.console.print(f"round {done // steps} of {rounds}  loss {loss:.5g}")

            form = make_narrow(
                settings,
                weights,
                source,
                rounds=rounds,
                fading=fading,
                settling=settling,
                compiled=_compiles(eager, cpu),
                amx=amx,
                advance=advance,
            )
        model = msgspec.structs.replace(settings.model, scales=(scale,))
        write_weights(out, form, model, rounds * steps)
    print(out)


def ablate(
    recipe: Recipe,
    cache: Cache,
    validation: Validation,
    out: Annotated[Path, typer.Option(help="Folder of the runs; finished ones are kept.")],
    ablations: Annotated[Path, typer.Option(help="A TOML file of variants.")] = ABLATIONS,
    device: Device = "cpu",
    threads: Threads = 0,
    eager: Eager = False,
    amx: Amx = False,
) -> None:
    """Train short variants of a recipe, each with one thing changed, and print a table."""
    if threads:
        torch.set_num_threads(threads)
    with command_errors():
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UsageError("ablate runs in one process; start it without torchrun")
        where = training_device(device)
        recipes = variants(recipe, ablations)
        pairs, held_out = _two_caches(cache, validation)
        compiled, name_of_pairs = _compiles(eager, where), fingerprint(cache)
        scores = {
            name: run_variant(
                name,
                variant,
                out,
                pairs,
                held_out,
                cache=name_of_pairs,
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


def export(
    recipe: Recipe,
    run: Annotated[Path, typer.Option(help="The run's folder.")],
    out: Annotated[Path, typer.Option(help="The weights file to write.")],
) -> None:
    """Collapse a run's averaged weights into the deployed form."""
    with command_errors():
        if not (run / CHECKPOINT).is_file():
            raise UsageError(f"{run} holds no {CHECKPOINT}; give the folder of a run")
        _check_weights_file(run / CHECKPOINT, out)
        Run(load_recipe(recipe), run).export(out)

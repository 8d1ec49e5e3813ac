"""``python -m training``: from pictures to weights, scores and tables."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import torch
import typer
from PIL import Image

from training import report as reports
from training.ablate import ablation_table, run_variant, variants
from training.cache import (
    SMALLEST,
    Pair,
    PairStore,
    clean_pair,
    clean_pairs,
    fingerprint,
    read_cache,
    smallest_side,
    write_cache,
)
from training.chroma import evaluate_chroma
from training.codec import FRAMES as CLIP_FRAMES
from training.codec import MAXIMUM_PAN, degraded_pair, draw_degradation, encode_and_decode
from training.config import load_recipe
from training.crops import CropSource
from training.distributed import join, training_device
from training.evaluate import (
    REDUCTIONS,
    Method,
    Reduction,
    Score,
    check_sets,
    evaluate_pictures,
    evaluate_video,
    fsrcnn,
    held_scales,
    interpolations,
    networks,
    read_clip,
    shipped_networks,
)
from training.files import write_weights
from training.lock import locked
from training.log import progress_bar
from training.loop import train as run_training
from training.narrow import narrow as make_narrow
from training.pictures import PictureError, each_picture, find_pictures, read_luma
from training.run import CHECKPOINT, Run
from training.similar import refuse_similar
from training.teacher import taught
from vs_emtcm.errors import EmtcmError, UsageError, reason
from vs_emtcm.models import check_scale, load
from vs_emtcm.output import check_output, complete_file
from vs_emtcm.upscaler import Upscaler

app = typer.Typer(
    help="Make and measure EMTCM models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ABLATIONS = Path(__file__).with_name("ablations.toml")


@contextmanager
def _command_errors() -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        print(f"training: error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    except EmtcmError as error:
        print(f"training: error: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    except OSError as error:
        where = "writing failed" if error.filename is None else error.filename
        print(f"training: error: {where}: {reason(error)}", file=sys.stderr)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        print(f"training: {str(error) or 'interrupted'}", file=sys.stderr)
        raise typer.Exit(1) from error


Recipe = Annotated[Path, typer.Option(help="A TOML file, see training/recipes.")]
Cache = Annotated[Path, typer.Option(help="Training pairs, made by 'prepare'.")]
Validation = Annotated[Path, typer.Option(help="Validation pairs, made by 'prepare'.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0: all cores.")]
Eager = Annotated[bool, typer.Option("--eager", help="Do not compile; needs no C++ compiler.")]
Amx = Annotated[
    bool,
    typer.Option(
        "--amx",
        help="Run the network in bfloat16 on the processor's matrix unit: about ten times as fast. Needs "
        "a processor with AMX and a C++ compiler.",
    ),
]
Scales = Annotated[
    list[int] | None,
    typer.Option(help="May be given several times; without it, all that the networks have."),
]
Networks = Annotated[
    list[str] | None,
    typer.Option(
        help="base-clean/2: two stages of a shipped model; FILE.safetensors/1: one stage of a weights "
        "file. May be given several times; every shipped one without it."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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


def _chosen(scales: list[int] | None, names: Sequence[str]) -> tuple[int, ...]:
    """The scales that the user wants; without any, those that all of these networks have."""
    if not scales:
        return held_scales(names)
    for scale in scales:
        check_scale(scale)
    return tuple(dict.fromkeys(scales))


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


@app.command()
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
    with _command_errors():
        if tune not in ("clean", "video"):
            raise UsageError(f"tune is {tune!r}; accepted are clean and video")
        if shifted and tune != "clean":
            raise UsageError("--shifted is for tune clean; encodes begin at random places anyway")
        if encodes > 1 and tune != "video":
            raise UsageError("--encodes is for tune video; tune clean encodes nothing")
        scales = _chosen(scale, [] if teacher is None else [teacher])
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


@app.command()
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
    with _command_errors():
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


@app.command()
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
    with _command_errors():
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


@app.command()
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
    with _command_errors():
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


@app.command()
def export(
    recipe: Recipe,
    run: Annotated[Path, typer.Option(help="The run's folder.")],
    out: Annotated[Path, typer.Option(help="The weights file to write.")],
) -> None:
    """Collapse a run's averaged weights into the deployed form."""
    with _command_errors():
        if not (run / CHECKPOINT).is_file():
            raise UsageError(f"{run} holds no {CHECKPOINT}; give the folder of a run")
        _check_weights_file(run / CHECKPOINT, out)
        Run(load_recipe(recipe), run).export(out)


def _print_scores(scores: list[Score], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(score) for score in scores], indent=1))
        return
    for s in scores:
        fidelity = "" if s.vif is None else f" / VIF {s.vif:.3f}"
        what = f"{s.name} x{s.scale} {s.reduction}: {s.method}"
        print(f"{what} {s.psnr:.2f} dB / {s.ssim:.4f}{fidelity} ({s.pictures})")


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="High-resolution pictures, or one folder per set.")],
    network: Networks = None,
    scale: Scales = None,
    reduction: Annotated[
        Reduction | None,
        typer.Option(help="What is reduced: luma or rgb; both, one after the other, without it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """PSNR and SSIM on pictures by the papers' protocols, beside bicubic and Lanczos."""
    with _command_errors():
        names = network or shipped_networks()
        scales = _chosen(scale, names)
        methods = {s: {**interpolations(s), **networks(names, s)} for s in scales}
        check_sets(data, scales)
        scores = [
            score
            for s in scales
            for reduced in (REDUCTIONS if reduction is None else (reduction,))
            for score in evaluate_pictures(data, s, methods[s], reduced)
        ]
    _print_scores(scores, as_json)


@app.command("evaluate-chroma")
def evaluate_colours(
    data: Annotated[Path, typer.Option(help="High-resolution pictures in colour, or one folder per set.")],
    model: Annotated[str, typer.Option(help="A shipped model's name, or a .safetensors file.")] = "base",
    tune: Annotated[str, typer.Option(help="clean or video.")] = "clean",
    scale: Annotated[list[int] | None, typer.Option(help="May be given several times; 2 without it.")] = None,
    crf: Annotated[
        list[int] | None, typer.Option(min=0, max=51, help="Encode the reduced pictures with x264 first.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """PSNR of 4:2:0 chroma on pictures, beside Spline36."""
    with _command_errors():
        scales = _chosen(scale or [2], [])
        scores = [
            score
            for s in scales
            for quality in crf or (None,)
            for score in evaluate_chroma(data, Upscaler(s, model=model, tune=tune), quality)
        ]
    if as_json:
        print(json.dumps([asdict(score) for score in scores], indent=1))
        return
    for found in scores:
        coded = "" if found.crf is None else f" CRF {found.crf}"
        print(
            f"{found.name} x{found.scale}{coded}: Spline36 {found.spline36:.2f} dB, "
            f"ours {found.ours:.2f} dB ({found.pictures})"
        )


Fsrcnn = Annotated[
    Path | None, typer.Option(help="Folder of OpenCV's FSRCNN_x2.pb, ..., to be scored as well.")
]


def _video_methods(names: list[str] | None, scale: int, peers: Path | None) -> Mapping[str, Method]:
    methods = dict(interpolations(scale))
    if peers is not None:
        methods["FSRCNN"] = fsrcnn(peers / f"FSRCNN_x{scale}.pb", scale)
    return {**methods, **networks(names or shipped_networks(), scale)}


@app.command("evaluate-video")
def evaluate_clips(
    clips: Annotated[list[Path], typer.Argument(help="Clips without visible compression.")],
    network: Networks = None,
    scale: Annotated[list[int] | None, typer.Option(help="May be given several times; 2 without it.")] = None,
    crf: Annotated[
        list[int] | None,
        typer.Option(min=0, max=51, help="May be given several times; 23 and 28 without it."),
    ] = None,
    noise: Annotated[
        list[float] | None,
        typer.Option(min=0, max=100, help="Sigma in code values, before H.264; may be given several times."),
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames of each clip.")] = 8,
    fsrcnn_from: Fsrcnn = None,
    as_json: AsJson = False,
) -> None:
    """PSNR, SSIM and VIF on clips that were downscaled, noisy if asked for, and H.264-compressed."""
    with _command_errors():
        scales = _chosen(scale or [2], [])
        methods = {s: _video_methods(network, s, fsrcnn_from) for s in scales}
        for clip in clips:
            read_clip(clip, 1, 2 * max(scales))
        scores = [
            score
            for s in scales
            for clip in clips
            for grain in noise or (0.0,)
            for quality in crf or (23, 28)
            for score in evaluate_video(clip, s, quality, frames, methods[s], grain)
        ]
    _print_scores(scores, as_json)


def _read_scores(path: Path) -> list[Score]:
    try:
        scores = [Score(**row) for row in json.loads(path.read_text())]
    except (ValueError, TypeError):
        scores = []
    if not scores:
        raise UsageError(f"{path} holds no scores; make some with 'evaluate --json'")
    return scores


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="Folder for pareto.png.")],
    pictures: Annotated[Path, typer.Option(help="Output of 'evaluate --json'.")],
    video: Annotated[Path | None, typer.Option(help="Output of 'evaluate-video --json'.")] = None,
) -> None:
    """Print tables of scores beside the peers', and plot PSNR against cost."""
    with _command_errors():
        scores = _read_scores(pictures)
        for reduction, scale in sorted({(s.reduction, s.scale) for s in scores}):
            table = reports.picture_table(scores, scale, reduction)
            print(f"### x{scale}, reductions of {reduction}\n\n{table}\n")
        if video is not None:
            print(f"### Video\n\n{reports.video_table(_read_scores(video))}")
        out.mkdir(parents=True, exist_ok=True)
        reports.pareto_plot(scores, reports.ordered_sets(scores)[0], out / "pareto.png")


@app.command()
def compare(
    picture: Annotated[Path, typer.Argument(help="A high-resolution picture.")],
    out: Annotated[Path, typer.Option(help="The PNG to write.")],
    network: Networks = None,
    scale: Annotated[int, typer.Option(help="2, 3 or 4.")] = 2,
    top: Annotated[int, typer.Option(min=0)] = 0,
    left: Annotated[int, typer.Option(min=0)] = 0,
    side: Annotated[int, typer.Option(min=8)] = 128,
    crf: Annotated[
        int | None, typer.Option(min=0, max=51, help="Encode the reduced picture with x264 first.")
    ] = None,
) -> None:
    """A cut-out of a picture, reduced and upscaled: bicubic, the networks and the truth side by side."""
    with _command_errors():
        check_scale(scale)
        if out.suffix.lower() != ".png":
            raise UsageError(f"{out} is no name of a PNG file; give one that ends in .png")
        check_output(picture, out, overwrite=True)
        luma = read_luma(picture)
        height, width = (n // (2 * scale) * 2 * scale for n in luma.shape)
        methods = {
            "bicubic": interpolations(scale)["bicubic"],
            **networks(network or shipped_networks(), scale),
        }
        pair = clean_pair(luma[:height, :width], scale)
        low = pair.low if crf is None else encode_and_decode([pair.low] * 3, "libx264", crf)[1]
        sheet = reports.comparison(low, pair.high, methods, (top, left), side)
        with complete_file(out) as temporary:
            Image.fromarray(sheet).save(temporary)
    print(f"{out}: {', '.join([*methods, 'truth'])}")


def main() -> None:
    """The entry point."""
    app()

"""``python -m training``: prepare, train, evaluate, evaluate-video, export."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from training.cache import CacheError, Pair, clean_pair, read_cache, write_cache
from training.codec import FRAMES as CLIP_FRAMES
from training.codec import MAXIMUM_PAN, degraded_pair, draw_degradation
from training.config import ConfigError, load_recipe
from training.evaluate import Score, evaluate_pictures, evaluate_video
from training.loop import CHECKPOINT, Run, TrainingError
from training.loop import train as run_training
from training.pictures import PictureError, find_pictures, read_luma
from vs_emtcm.errors import EmtcmError, UsageError
from vs_emtcm.upscaler import Upscaler

app = typer.Typer(
    help="Make and measure EMTCM models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
SCALES = (2, 3, 4)
# Smaller low-resolution pictures hold less than a crop.
SMALLEST = 64


@contextmanager
def _one_sentence_errors() -> Iterator[None]:
    try:
        yield
    except (CacheError, ConfigError, PictureError, UsageError) as error:
        print(f"training: error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    except (EmtcmError, TrainingError, ValueError) as error:
        print(f"training: error: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        print("training: interrupted; the last checkpoint is kept", file=sys.stderr)
        raise typer.Exit(1) from error


def _pairs(folder: Path, tune: str) -> Iterator[Pair]:
    for path in find_pictures(folder):
        luma = read_luma(path)
        for scale in SCALES:
            if tune == "clean":
                if min(luma.shape) // scale >= SMALLEST:
                    yield clean_pair(luma, scale)
            elif (min(luma.shape) - MAXIMUM_PAN * (CLIP_FRAMES - 1)) // scale >= SMALLEST + 2:
                # The same pictures always give the same cache.
                rng = np.random.default_rng(zlib.crc32(f"{path.name}{scale}".encode()))
                yield degraded_pair(luma, scale, draw_degradation(rng), rng)


@app.command()
def prepare(
    data: Annotated[Path, typer.Option(help="Folder of high-resolution pictures.")],
    out: Annotated[Path, typer.Option(help="Folder of the cache.")],
    tune: Annotated[str, typer.Option(help="clean: bicubic reductions; video: real encodes.")],
) -> None:
    """Decode pictures once, make their low-resolution versions, and store both."""
    with _one_sentence_errors():
        if tune not in ("clean", "video"):
            raise UsageError(f"tune is {tune!r}; accepted are clean and video")
        count = write_cache(out, _pairs(data, tune))
    print(f"{count} pairs in {out}")


@app.command()
def train(
    recipe: Annotated[Path, typer.Option(help="A TOML file, see training/recipes.")],
    cache: Annotated[Path, typer.Option(help="Training pairs, made by 'prepare'.")],
    validation: Annotated[Path, typer.Option(help="Validation pairs, made by 'prepare'.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; an unfinished run there goes on.")],
    start_from: Annotated[Path | None, typer.Option(help="Folder of a finished run to start from.")] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: all cores.")] = 0,
) -> None:
    """Train all scales of a model together."""
    if threads:
        torch.set_num_threads(threads)
    with _one_sentence_errors():
        start = None if start_from is None else start_from / CHECKPOINT
        run_training(load_recipe(recipe), read_cache(cache), read_cache(validation), out, start)


@app.command()
def export(
    recipe: Annotated[Path, typer.Option(help="The run's recipe.")],
    run: Annotated[Path, typer.Option(help="The run's folder.")],
    out: Annotated[Path, typer.Option(help="The weights file to write.")],
) -> None:
    """Collapse a run's averaged weights into the deployed form."""
    with _one_sentence_errors():
        if not (run / CHECKPOINT).is_file():
            raise UsageError(f"{run} holds no {CHECKPOINT}; give the folder of a run")
        Run(load_recipe(recipe), run).export(out)


def _print_scores(scores: list[Score], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(score) for score in scores]))
        return
    for s in scores:
        print(f"{s.name}: {s.method} {s.psnr:.2f} dB / {s.ssim:.4f} ({s.pictures} pictures)")


Stages = Annotated[int, typer.Option(help="1 or 2.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="High-resolution pictures, or one folder per set.")],
    model: Annotated[str, typer.Option(help="A shipped model or a weights file.")] = "base",
    tune: Annotated[str, typer.Option(help="clean or video.")] = "clean",
    scale: Annotated[int, typer.Option(help="2, 3 or 4.")] = 2,
    stages: Stages = 2,
    as_json: AsJson = False,
) -> None:
    """PSNR and SSIM on pictures by the papers' protocol, beside bicubic and Lanczos."""
    with _one_sentence_errors():
        upscaler = Upscaler(scale, model=model, tune=tune, stages=stages)
        scores = evaluate_pictures(data, f"{model}-{tune}/{stages}", upscaler)
    _print_scores(scores, as_json)


@app.command("evaluate-video")
def evaluate_clips(
    clips: Annotated[list[Path], typer.Argument(help="Clips without visible compression.")],
    model: Annotated[str, typer.Option(help="A shipped model or a weights file.")] = "base",
    tune: Annotated[str, typer.Option(help="clean or video.")] = "video",
    scale: Annotated[int, typer.Option(help="2, 3 or 4.")] = 2,
    stages: Stages = 2,
    crf: Annotated[list[int] | None, typer.Option(help="May be given several times.")] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames of each clip.")] = 24,
    as_json: AsJson = False,
) -> None:
    """PSNR and SSIM on clips that were downscaled and H.264-compressed."""
    with _one_sentence_errors():
        upscaler = Upscaler(scale, model=model, tune=tune, stages=stages)
        scores = [
            score
            for clip in clips
            for quality in crf or [23, 28]
            for score in evaluate_video(clip, quality, frames, f"{model}-{tune}/{stages}", upscaler)
        ]
    _print_scores(scores, as_json)


def main() -> None:
    """The entry point."""
    app()

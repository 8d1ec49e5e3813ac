"""``vs-emtcm engines`` and ``vs-emtcm export``: TensorRT engines and ONNX files of the models."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from vs_emtcm import models
from vs_emtcm.errors import EmtcmError, UsageError

engines = typer.Typer(help="Build and look after TensorRT engines.", no_args_is_help=True)
exports = typer.Typer(help="Write the networks for other programs.", no_args_is_help=True)

ModelName = Annotated[str, typer.Option(help="A model's name, or a .safetensors file.")]
Tune = Annotated[str, typer.Option(help="video or clean.")]
Scales = Annotated[list[int] | None, typer.Option(help="May be given several times; all without it.")]
Stages = Annotated[list[int] | None, typer.Option(help="May be given several times; both without it.")]
Store = Annotated[Path | None, typer.Option(help="Folder of engines. [default: the user's cache]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """Turn errors into one line on stderr and an exit code: 2 for usage, 1 for failure."""
    from trt_build import BuildError

    try:
        yield
    except (UsageError, BuildError) as error:
        print(f"vs-emtcm: error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    except (EmtcmError, OSError, ValueError) as error:
        print(f"vs-emtcm: error: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def _folder(store: Path | None) -> Path:
    from vs_emtcm.engines.tensorrt_engine import default_store

    return default_store() if store is None else store


@engines.command()
def build(
    model: ModelName = "base",
    tune: Tune = "video",
    scale: Scales = None,
    stages: Stages = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="A GPU to build for without having it: sm75 ... sm121, or all. May be repeated."),
    ] = None,
    precision: Annotated[str, typer.Option(help="fp16 or fp32.")] = "fp16",
    smallest: Annotated[str, typer.Option("--min", help="Smallest picture, width x height.")] = "16x16",
    usual: Annotated[str, typer.Option("--opt", help="Picture that it is made for.")] = "1920x1080",
    largest: Annotated[
        str, typer.Option("--max", help="Largest picture; larger ones are tiled.")
    ] = "4096x2304",
    store: Store = None,
) -> None:
    """Build engines ahead of time, one for each scale and number of stages.

    The filter and the upscale command use engines of the default sizes and precision; others are for
    other programs.
    """
    with one_sentence_errors():
        from trt_build import Profile, get_or_build, request
        from trt_build.profile import parse_size
        from trt_build.store import engine_path
        from vs_emtcm.engines.tensorrt_engine import engine_module

        picture = Profile(
            minimum=parse_size(smallest), optimum=parse_size(usual), maximum=parse_size(largest)
        )
        path = models.resolve(model, tune)
        for s in scale or models.SCALES:
            models.check_scale(s)
            weights = models.load(path, s)
            for number in stages or (1, 2):
                models.check_stages(number)
                module, radius = engine_module(weights, number)
                wanted = request(
                    module,
                    label=f"{path.stem}-stage{number}",
                    scale=s,
                    profile=picture.grown(radius),
                    precision=_precision(precision),
                    targets=None if target is None else tuple(target),
                )
                get_or_build(_folder(store), module, wanted, ahead=target is not None)
                print(engine_path(_folder(store), wanted))


def _precision(name: str) -> Literal["fp16", "fp32"]:
    if name == "fp16":
        return "fp16"
    if name == "fp32":
        return "fp32"
    raise UsageError(f"precision is {name!r}; accepted are fp16 and fp32")


@engines.command("list")
def list_engines(store: Store = None, as_json: AsJson = False) -> None:
    """List the engines of the store, and files there that cannot be used."""
    with one_sentence_errors():
        from trt_build import entries

        found = entries(_folder(store))
    if as_json:
        rows = [
            {
                "path": str(e.path),
                "engine": None if e.request is None else e.request.to_json(),
                "problem": e.problem,
            }
            for e in found
        ]
        print(json.dumps(rows))
        return
    for entry in found:
        request = entry.request
        if request is None:
            print(f"{entry.path.name}: {entry.problem}")
            continue
        what = f"{request.label} x{request.scale} {request.precision} {request.profile}"
        print(f"{entry.path.name}: {what} for {', '.join(request.targets)}")


@engines.command()
def info(path: Annotated[Path, typer.Argument(help="An engine file.")]) -> None:
    """Print what an engine file says of its engine, as JSON; the engine is not loaded."""
    with one_sentence_errors():
        from trt_build.container import read_description

        print(json.dumps(read_description(path), indent=1))


@engines.command()
def verify(store: Store = None) -> None:
    """Check every engine file of the store against its own sums."""
    with one_sentence_errors():
        from trt_build import EngineFileError, entries
        from trt_build import verify as check

        broken = 0
        for entry in entries(_folder(store)):
            try:
                check(entry.path)
                print(f"{entry.path.name}: whole")
            except EngineFileError as error:
                broken += 1
                print(f"vs-emtcm: error: {error}", file=sys.stderr)
    if broken:
        raise typer.Exit(1)


@engines.command()
def clear(store: Store = None) -> None:
    """Delete all engines of the store."""
    with one_sentence_errors():
        from trt_build import clear as delete

        for path in delete(_folder(store)):
            print(f"deleted {path}")


@exports.callback()
def _exports() -> None:
    """Write the networks for other programs."""


@exports.command()
def onnx(
    out: Annotated[Path, typer.Option(help="The file to write.")],
    model: ModelName = "base",
    tune: Tune = "video",
    scale: Annotated[int, typer.Option(help="2, 3 or 4.")] = 2,
    stages: Annotated[int, typer.Option(help="1 or 2.")] = 2,
    precision: Annotated[str, typer.Option(help="fp16 or fp32.")] = "fp16",
) -> None:
    """Write a network as ONNX: studio-range luma / 255, (1, 1, H, W) in, (1, 1, scale*H, scale*W) out."""
    with one_sentence_errors():
        from trt_build import export_onnx
        from vs_emtcm.engines.half import PictureNetwork
        from vs_emtcm.engines.weights import load_network

        models.check_scale(scale)
        models.check_stages(stages)
        weights = models.load(models.resolve(model, tune), scale)
        network = PictureNetwork(load_network(weights, stages))
        export_onnx(network, out, precision=_precision(precision))
    print(out)

"""``vs-emtcm engines`` and ``vs-emtcm export``: TensorRT engines and ONNX files of the models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vs_emtcm import models
from vs_emtcm.console import FAILURE, exit_codes, say
from vs_emtcm.errors import UsageError
from vs_emtcm.output import check_output

if TYPE_CHECKING:
    from trt_build import Profile

engines = typer.Typer(help="Build and look after TensorRT engines.", no_args_is_help=True)
exports = typer.Typer(help="Write the networks for other programs.", no_args_is_help=True)

ModelName = Annotated[str, typer.Option(help="A model's name, or a .safetensors file.")]
Tune = Annotated[str, typer.Option(help="video or clean.")]
Scales = Annotated[list[str] | None, typer.Option(help="Such as 2 or 2,3; all without it.")]
Stages = Annotated[list[str] | None, typer.Option(help="1 or 2; both without it.")]
Precision = Annotated[str, typer.Option(help="fp16 or fp32.")]
Store = Annotated[Path | None, typer.Option(help="Folder of engines. [default: the user's cache]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@contextmanager
def _build_errors() -> Iterator[None]:
    # The errors of trt_build, which does not know ours, are all about what was asked for.
    from trt_build import BuildError

    with exit_codes():
        try:
            yield
        except BuildError as error:
            raise UsageError(str(error)) from error


def _or_say_none[Found](found: list[Found], folder: Path) -> list[Found]:
    if not found:
        say(f"there are no engines in {folder}")
    return found


def _numbers(given: list[str], check: Callable[[int], None]) -> list[int]:
    numbers = []
    for word in ",".join(given).split(","):
        try:
            numbers.append(int(word))
        except ValueError as error:
            raise UsageError(f"{word!r} is no number; give such as 2, or 2,3") from error
        check(numbers[-1])
    return numbers


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
        typer.Option(help="GPUs to build for without having them: sm89,sm120, or all."),
    ] = None,
    precision: Precision = "fp16",
    smallest: Annotated[str, typer.Option("--min", help="Smallest picture, width x height.")] = "16x16",
    usual: Annotated[str, typer.Option("--opt", help="Picture that it is made for.")] = "1920x1080",
    largest: Annotated[str, typer.Option("--max", help="Largest picture.")] = "4096x2304",
    store: Store = None,
) -> None:
    """Build engines ahead of time, one for each scale and number of stages.

    The filter and the upscale command use only engines of the default sizes and precision. Other programs
    build their own from "vs-emtcm export onnx".
    """
    with _build_errors():
        from trt_build import Profile, build_into, request
        from trt_build.profile import parse_size
        from vs_emtcm.engines.tensorrt_engine import engine_module

        picture = Profile(
            minimum=parse_size(smallest), optimum=parse_size(usual), maximum=parse_size(largest)
        )
        path = models.resolve(model, tune)
        scales = _numbers(scale, models.check_scale) if scale else models.SCALES
        numbers = _numbers(stages, models.check_stages) if stages else (1, 2)
        for s in scales:
            weights = models.load(path, s)
            for number in numbers:
                module, radius = engine_module(weights, number)
                _check_sizes(picture, radius)
                wanted = request(
                    module,
                    label=f"{path.stem}-stage{number}",
                    scale=s,
                    profile=picture.grown(radius),
                    precision=precision,
                    targets=None if target is None else tuple(target),
                )
                print(build_into(_folder(store), module, wanted, ahead=target is not None))


def _check_sizes(picture: Profile, border: int) -> None:
    from trt_build.profile import LARGEST

    # The tracer takes a size of one for a constant; the border counts into TensorRT's limit.
    smallest, largest = 2, LARGEST - 2 * border
    if min(picture.minimum) < smallest or max(picture.maximum) > largest:
        raise UsageError(
            f"the pictures are {picture}; accepted are sizes from {smallest}x{smallest} to "
            f"{largest}x{largest}"
        )


@engines.command("list")
def list_engines(store: Store = None, as_json: AsJson = False) -> None:
    """List the engines of the store, and files there that cannot be used."""
    with _build_errors():
        from trt_build import entries

        folder = _folder(store)
        found = _or_say_none(entries(folder), folder)
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
        what = f"{request.label} x{request.scale} {request.precision} {request.profile} (borders included)"
        print(f"{entry.path.name}: {what} for {', '.join(request.targets)}")


@engines.command()
def info(
    file: Annotated[Path, typer.Argument(help="An engine file, or the name of one in the store.")],
    store: Store = None,
) -> None:
    """Print what an engine file says of its engine, as JSON; the engine is not loaded."""
    with _build_errors():
        from trt_build.container import read_description

        path = file if file.exists() else _folder(store) / file
        print(json.dumps(read_description(path), indent=1))


@engines.command()
def verify(store: Store = None) -> None:
    """Check every engine file of the store against its own sums."""
    with _build_errors():
        from trt_build import EngineFileError, entries
        from trt_build import verify as check

        folder, broken = _folder(store), 0
        for entry in _or_say_none(entries(folder), folder):
            try:
                check(entry.path)
                print(f"{entry.path.name}: whole")
            except EngineFileError as error:
                broken += 1
                say(f"error: {error}")
    if broken:
        raise typer.Exit(FAILURE)


@engines.command()
def clear(store: Store = None) -> None:
    """Delete all engines of the store."""
    with _build_errors():
        from trt_build import clear as delete

        folder = _folder(store)
        for path in _or_say_none(delete(folder), folder):
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
    precision: Precision = "fp16",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a network as ONNX: studio-range luma / 255, (1, 1, H, W) in, (1, 1, scale*H, scale*W) out."""
    with _build_errors():
        from trt_build import export_onnx
        from vs_emtcm.engines.half import PictureNetwork
        from vs_emtcm.engines.weights import load_network

        models.check_scale(scale)
        models.check_stages(stages)
        path = models.resolve(model, tune)
        weights = models.load(path, scale)
        check_output(path, out, overwrite)
        network = PictureNetwork(load_network(weights, stages))
        description = {
            "model": path.stem,
            "scale": str(scale),
            "stages": str(stages),
            "input": "studio-range luma of 8 bits divided by 255",
        }
        export_onnx(network, out, precision=precision, description=description)
    print(out)

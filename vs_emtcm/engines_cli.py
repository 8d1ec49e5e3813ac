"""``vs-emtcm engines`` and ``vs-emtcm export``: TensorRT engines and ONNX files of the models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vs_emtcm import models
from vs_emtcm.console import FAILURE, exit_codes, say
from vs_emtcm.errors import UsageError
from vs_emtcm.output import check_output
from vs_emtcm.weights_file import load_weights

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
    """Exit with the code of an error; those of trt_build are all about what the user asked for."""
    from trt_build import BuildError

    with exit_codes():
        try:
            yield
        except BuildError as error:
            raise UsageError(str(error)) from error


def _or_say_none[Found](found: list[Found], folder: Path) -> list[Found]:
    """Return what was found in a store; say on standard error if it is nothing."""
    if not found:
        say(f"there are no engines in {folder}")
    return found


def _numbers(given: list[str], check: Callable[[int], None]) -> list[int]:
    """Parse the values of an option that may be repeated, parted by commas, or both.

    Args:
        given: such as ``["2", "3,4"]``.
        check: raises a UsageError for a number that is not accepted.
    """
    numbers = []
    for word in ",".join(given).split(","):
        try:
            numbers.append(int(word))
        except ValueError as error:
            raise UsageError(f"{word!r} is no number; give such as 2, or 2,3") from error
        check(numbers[-1])
    return numbers


def _folder(store: Path | None) -> Path:
    """Return the folder of engines: the given one, or that in the user's cache."""
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
    smallest: Annotated[
        str | None, typer.Option("--min", help="Smallest picture, width x height. [default: 16x16]")
    ] = None,
    usual: Annotated[
        str | None, typer.Option("--opt", help="Picture that it is made for. [default: 1920x1080]")
    ] = None,
    largest: Annotated[
        str | None, typer.Option("--max", help="Largest picture. [default: 4096x2304]")
    ] = None,
    store: Store = None,
) -> None:
    """Build engines ahead of time, one for each scale and number of stages.

    The filter and the upscale command use only engines of the default sizes and precision. Other programs
    build their own from "vs-emtcm export onnx".
    """
    with _build_errors():
        from trt_build import build_into
        from vs_emtcm.engines.tensorrt_plan import plan_engine

        profile = _profile(smallest, usual, largest)
        path = models.resolve(model, tune)
        scales = _numbers(scale, models.check_scale) if scale else models.SCALES
        numbers = _numbers(stages, models.check_stages) if stages else (1, 2)
        for s in scales:
            weights = load_weights(path, s)
            for number in numbers:
                plan = plan_engine(
                    weights,
                    number,
                    model=path.stem,
                    profile=profile,
                    precision=precision,
                    targets=None if target is None else tuple(target),
                )
                print(build_into(_folder(store), plan.module, plan.spec, ahead=target is not None))


def _profile(smallest: str | None, usual: str | None, largest: str | None) -> Profile:
    """Make the profile of these sizes (width x height); None is the size that backend "tensorrt" uses."""
    from trt_build.profile import parse_size
    from vs_emtcm.engines.tensorrt_plan import PROFILE

    given = {"minimum": smallest, "optimum": usual, "maximum": largest}
    return replace(PROFILE, **{name: parse_size(size) for name, size in given.items() if size is not None})


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
                "engine": None if e.spec is None else e.spec.to_json(),
                "problem": e.problem,
            }
            for e in found
        ]
        print(json.dumps(rows))
        return
    for entry in found:
        spec = entry.spec
        if spec is None:
            print(f"{entry.path.name}: {entry.problem}")
            continue
        what = f"{spec.label} x{spec.scale} {spec.precision} {spec.profile} (borders included)"
        print(f"{entry.path.name}: {what} for {', '.join(spec.targets)}")


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
        from vs_emtcm.engines.load import load_network

        models.check_scale(scale)
        models.check_stages(stages)
        path = models.resolve(model, tune)
        weights = load_weights(path, scale)
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

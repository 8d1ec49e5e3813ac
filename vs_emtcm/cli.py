"""The ``vs-emtcm`` command: its options and its closing output."""

from __future__ import annotations

import json
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from vs_emtcm import __version__, engines_cli, models
from vs_emtcm.console import FAILURE, exit_codes, say
from vs_emtcm.errors import reason

app = typer.Typer(
    name="vs-emtcm",
    help="Upscale video and pictures 2x, 3x and 4x with EMTCM.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(engines_cli.engines, name="engines")
app.add_typer(engines_cli.exports, name="export")


def _terminate(_signum: int, _frame: FrameType | None) -> None:
    """Treat a signal that ends the process like Ctrl-C, so that unfinished files are removed."""
    raise KeyboardInterrupt


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Upscale video and pictures 2x, 3x and 4x with EMTCM."""


@app.command()
def upscale(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A video, a picture, a folder of pictures or a pattern (frame%04d.png, '*.png').",
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="OUTPUT",
            help="The result; its kind follows from its name. For several pictures a folder or a pattern.",
        ),
    ],
    scale: Annotated[int, typer.Option(help="2, 3 or 4.")] = 2,
    model: Annotated[
        str, typer.Option(help="A model's name, or a .safetensors file; see 'vs-emtcm models'.")
    ] = "base",
    tune: Annotated[
        str | None,
        typer.Option(
            help="video: compressed or noisy sources; clean: sharp ones. "
            "[default: video for videos and JPEG below quality 92, clean for other pictures]"
        ),
    ] = None,
    stages: Annotated[int, typer.Option(help="2, or 1 for about twice the speed.")] = 2,
    backend: Annotated[str, typer.Option(help="auto, tensorrt, openvino, openvino-bf16 or torch.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    codec: Annotated[
        str | None, typer.Option(help="Video encoder, as FFmpeg calls it. [default: libx264]")
    ] = None,
    crf: Annotated[
        float | None,
        typer.Option(help="Constant rate factor, or cq, qp and the like; lower is better. [default: 18]"),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="The encoder's preset.")] = None,
    pix_fmt: Annotated[
        str | None, typer.Option(help="Pixel format of the video. [default: as the input]")
    ] = None,
    encoder_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="One more option of the encoder, such as tune=film; may be repeated."
        ),
    ] = None,
    assume_progressive: Annotated[
        bool,
        typer.Option(
            "--assume-progressive", help="Take frames that are flagged as interlaced for progressive."
        ),
    ] = False,
    quality: Annotated[
        int | None, typer.Option(min=1, max=100, help="Quality of JPEG and WebP pictures. [default: 95]")
    ] = None,
    lanes: Annotated[
        int | None,
        typer.Option(min=1, max=16, help="Frames worked on at once. [default: 3 on a GPU, 1 on a CPU]"),
    ] = None,
    threads: Annotated[
        int,
        typer.Option(
            min=0,
            max=1024,
            help="Threads for each of decoder, network, encoder; 0: all cores. "
            "Fewer are faster beside other work.",
        ),
    ] = 0,
    tile: Annotated[
        int | None,
        typer.Option(help="Tile size in input pixels; 0: never tile. [default: automatic]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave results that are there already, and go on.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep what is done of a video in a hidden folder beside OUTPUT; "
            "after an interruption the same command goes on there.",
        ),
    ] = False,
    allow_damaged: Annotated[
        bool, typer.Option("--allow-damaged", help="Exit with 0 although the input is damaged.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors and warnings only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the closing report as JSON.")] = False,
) -> None:
    """Upscale a video or pictures."""
    for name in ("SIGTERM", "SIGHUP"):
        ending = getattr(signal, name, None)
        # A signal that is ignored stays so: nohup lets a command outlive its terminal.
        if ending is not None and signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, _terminate)
    with exit_codes():
        from vs_emtcm.command import Request, run

        request = Request(
            source=source,
            target=target,
            scale=scale,
            model=model,
            tune=tune,
            stages=stages,
            backend=backend,
            device=device,
            codec=codec,
            crf=crf,
            preset=preset,
            pix_fmt=pix_fmt,
            encoder_option=tuple(encoder_option or ()),
            assume_progressive=assume_progressive,
            quality=quality,
            lanes=lanes,
            threads=threads,
            tile=tile,
            overwrite=overwrite,
            skip_existing=skip_existing,
            resume=resume,
            show_progress=not quiet and not as_json,
        )
        outcome = run(request, say)
    if as_json:
        print(json.dumps(outcome.as_dict()))
    elif not quiet:
        print(outcome.summary(), file=sys.stderr)
    if outcome.failures or (outcome.damage and not allow_damaged):
        raise typer.Exit(FAILURE)


@app.command("models")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the shipped models and what each is for."""
    if as_json:
        rows = [{"model": m.name, "tune": m.tune, "purpose": m.purpose} for m in models.SHIPPED]
        print(json.dumps(rows))
        return
    for model in models.SHIPPED:
        print(f"--model {model.name} --tune {model.tune:<6} {model.purpose}")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show versions, devices and which backends work."""
    from vs_emtcm.doctor import diagnose

    diagnosis = diagnose()
    if as_json:
        print(json.dumps(diagnosis.as_dict()))
        return
    print(f"python {diagnosis.python} on {diagnosis.system}")
    for name, version in diagnosis.versions.items():
        print(f"{name} {version or 'is not installed'}")
    print(f"NVIDIA GPUs: {', '.join(diagnosis.gpus) or 'none that PyTorch can use'}")
    for backend in diagnosis.backends:
        state = "works" if backend.reason is None else f"does not work: {backend.reason}"
        print(f"backend {backend.backend} on {backend.device}: {state}")


def main() -> None:
    """Run the command."""
    try:
        app()
    except OSError as error:
        # For example, the closing report cannot be written as the disk is full.
        say(f"error: {reason(error)}")
        sys.exit(FAILURE)


if __name__ == "__main__":
    main()

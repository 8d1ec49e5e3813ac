"""What the commands of ``python -m training`` have in common: options, and what becomes of errors."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from training.evaluate import held_scales
from vs_emtcm.errors import EmtcmError, UsageError, reason
from vs_emtcm.models import check_scale


@contextmanager
def command_errors() -> Iterator[None]:
    """What goes wrong ends a command with a sentence: exit code 2 for wrong usage, 1 for the rest."""
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


def chosen_scales(scales: list[int] | None, names: Sequence[str]) -> tuple[int, ...]:
    """The scales that the user wants; without any, those that all of these networks have.

    Raises:
        UsageError: one is not among those accepted.
    """
    if not scales:
        return held_scales(names)
    for scale in scales:
        check_scale(scale)
    return tuple(dict.fromkeys(scales))

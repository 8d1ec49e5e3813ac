"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeFile = Annotated[Path, typer.Option(help="A TOML file, see training/recipes.")]
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
Networks = Annotated[
    list[str] | None,
    typer.Option(
        help="base-clean/2: two stages of a shipped model; FILE.safetensors/1: one stage of a weights "
        "file. May be given several times; every shipped one without it."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

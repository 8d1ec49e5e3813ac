"""``python -m training``: from pictures to weights, scores and tables."""

from __future__ import annotations

import typer

from training.making import ablate, export, narrow, prepare, train
from training.measuring import compare, evaluate, evaluate_clips, evaluate_colours, report

app = typer.Typer(
    help="Make and measure EMTCM models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (prepare, train, narrow, ablate, export, evaluate):
    app.command()(command)
app.command("evaluate-chroma")(evaluate_colours)
app.command("evaluate-video")(evaluate_clips)
app.command()(report)
app.command()(compare)


def main() -> None:
    """The entry point."""
    app()

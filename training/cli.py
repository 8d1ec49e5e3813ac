"""``python -m training``: from pictures to weights, scores and tables."""

from __future__ import annotations

import typer

from training.commands.ablate import ablate
from training.commands.compare import compare
from training.commands.evaluate import evaluate
from training.commands.evaluate_chroma import evaluate_chroma
from training.commands.evaluate_video import evaluate_video
from training.commands.export import export
from training.commands.narrow import narrow
from training.commands.prepare import prepare
from training.commands.report import report
from training.commands.train import train

app = typer.Typer(
    help="Make and measure EMTCM models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    prepare,
    train,
    narrow,
    ablate,
    export,
    evaluate,
    evaluate_chroma,
    evaluate_video,
    report,
    compare,
):
    # evaluate_video becomes evaluate-video.
    app.command()(command)


def main() -> None:
    """Run the command line."""
    app()

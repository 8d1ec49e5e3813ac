"""``report``: from scores to tables and a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands.exit import training_exit_codes
from training.folders import make_folder
from training.report import ordered_sets, pareto_plot, picture_table, video_table
from training.scores import read_scores


def report(
    out: Annotated[Path, typer.Option(help="Folder for pareto.png.")],
    pictures: Annotated[Path, typer.Option(help="Output of 'evaluate --json'.")],
    video: Annotated[Path | None, typer.Option(help="Output of 'evaluate-video --json'.")] = None,
) -> None:
    """Print tables of scores beside the peers', and plot PSNR against cost."""
    with training_exit_codes():
        scores, clips = read_scores(pictures), None if video is None else read_scores(video)
        make_folder(out)
        for reduction, scale in sorted({(s.reduction, s.scale) for s in scores}):
            table = picture_table(scores, scale, reduction)
            print(f"### x{scale}, reductions of {reduction}\n\n{table}\n")
        if clips is not None:
            print(f"### Video\n\n{video_table(clips)}")
        pareto_plot(scores, ordered_sets(scores)[0], out / "pareto.png")

"""``evaluate-video``: scores of networks on compressed clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from training.commands.exit import training_exit_codes
from training.commands.inputs import chosen_scales
from training.commands.options import AsJson, Networks
from training.commands.printing import print_scores, say_exact
from training.methods import Method, fsrcnn, interpolations, networks, shipped_networks
from training.scores import scores_json
from training.video_scores import evaluate_video as score_clip
from training.video_scores import read_clip


def evaluate_video(
    clips: Annotated[list[Path], typer.Argument(help="Clips without visible compression.")],
    network: Networks = None,
    scale: Annotated[list[int] | None, typer.Option(help="May be given several times; 2 without it.")] = None,
    crf: Annotated[
        list[int] | None,
        typer.Option(min=0, max=51, help="May be given several times; 23 and 28 without it."),
    ] = None,
    noise: Annotated[
        list[float] | None,
        typer.Option(min=0, max=100, help="Sigma in code values, before H.264; may be given several times."),
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames of each clip.")] = 8,
    fsrcnn_from: Annotated[
        Path | None, typer.Option(help="Folder of OpenCV's FSRCNN_x2.pb, ..., to be scored as well.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """PSNR, SSIM and VIF on clips that were downscaled, noisy if asked for, and H.264-compressed."""
    with training_exit_codes():
        scales = chosen_scales(scale or [2], [])
        methods = {s: _methods(network, s, fsrcnn_from) for s in scales}
        # Bad clips are named before the work.
        for clip in clips:
            read_clip(clip, 1, 2 * max(scales))
        scores = [
            score
            for s in scales
            for clip in clips
            for sigma in noise or (0.0,)
            for quality in crf or (23, 28)
            for score in score_clip(clip, s, quality, frames, methods[s], sigma)
        ]
    say_exact(scores)
    if as_json:
        print(scores_json(scores))
    else:
        print_scores(scores)


def _methods(names: list[str] | None, scale: int, graphs: Path | None) -> Mapping[str, Method]:
    methods = dict(interpolations(scale))
    if graphs is not None:
        methods["FSRCNN"] = fsrcnn(graphs / f"FSRCNN_x{scale}.pb", scale)
    return {**methods, **networks(names or shipped_networks(), scale)}

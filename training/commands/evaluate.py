"""``evaluate``: scores of networks on sets of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands.exit import training_exit_codes
from training.commands.inputs import chosen_scales
from training.commands.options import AsJson, Networks
from training.commands.printing import print_scores, say_exact
from training.methods import interpolations, networks, shipped_networks
from training.picture_scores import check_sets, evaluate_pictures
from training.scores import REDUCTIONS, Reduction, scores_json


def evaluate(
    data: Annotated[Path, typer.Option(help="High-resolution pictures, or one folder per set.")],
    network: Networks = None,
    scale: Annotated[
        list[int] | None,
        typer.Option(help="May be given several times; without it, all that the networks have."),
    ] = None,
    reduction: Annotated[
        Reduction | None,
        typer.Option(help="What is reduced: luma or rgb; both, one after the other, without it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """PSNR and SSIM on pictures by the papers' protocols, beside bicubic and Lanczos."""
    with training_exit_codes():
        names = network or shipped_networks()
        scales = chosen_scales(scale, names)
        methods = {s: {**interpolations(s), **networks(names, s)} for s in scales}
        check_sets(data, scales)
        scores = [
            score
            for s in scales
            for reduced in (REDUCTIONS if reduction is None else (reduction,))
            for score in evaluate_pictures(data, s, methods[s], reduced)
        ]
    say_exact(scores)
    if as_json:
        print(scores_json(scores))
    else:
        print_scores(scores)

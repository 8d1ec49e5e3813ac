"""``evaluate-chroma``: scores of the upscaler's chroma on sets of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.chroma_scores import evaluate_chroma as score_chroma
from training.commands.exit import training_exit_codes
from training.commands.inputs import chosen_scales
from training.commands.options import AsJson
from training.commands.printing import say_exact
from training.scores import scores_json
from vs_emtcm.upscaler import Upscaler


def evaluate_chroma(
    data: Annotated[Path, typer.Option(help="High-resolution pictures in colour, or one folder per set.")],
    model: Annotated[str, typer.Option(help="A shipped model's name, or a .safetensors file.")] = "base",
    tune: Annotated[str, typer.Option(help="clean or video.")] = "clean",
    scale: Annotated[list[int] | None, typer.Option(help="May be given several times; 2 without it.")] = None,
    crf: Annotated[
        list[int] | None, typer.Option(min=0, max=51, help="Encode the reduced pictures with x264 first.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """PSNR of 4:2:0 chroma on pictures, beside Spline36."""
    with training_exit_codes():
        scales = chosen_scales(scale or [2], [])
        scores = [
            score
            for s in scales
            for quality in crf or (None,)
            for score in score_chroma(data, Upscaler(s, model=model, tune=tune), quality)
        ]
    say_exact(scores)
    if as_json:
        print(scores_json(scores))
        return
    for s in scores:
        coded = "" if s.crf is None else f" CRF {s.crf}"
        print(
            f"{s.name} x{s.scale}{coded}: Spline36 {s.spline36:.2f} dB, ours {s.ours:.2f} dB ({s.pictures})"
        )

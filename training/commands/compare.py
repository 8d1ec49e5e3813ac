"""``compare``: a cut-out of a picture as several methods upscale it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from training.codec import encode_and_decode
from training.commands.exit import training_exit_codes
from training.commands.options import Networks
from training.comparison import comparison
from training.methods import interpolations, networks, shipped_networks
from training.pairs import clean_pair
from training.pictures import read_luma
from vs_emtcm.errors import UsageError
from vs_emtcm.models import check_scale
from vs_emtcm.output import check_output, complete_file


def compare(
    picture: Annotated[Path, typer.Argument(help="A high-resolution picture.")],
    out: Annotated[Path, typer.Option(help="The PNG to write.")],
    network: Networks = None,
    scale: Annotated[int, typer.Option(help="2, 3 or 4.")] = 2,
    top: Annotated[int, typer.Option(min=0)] = 0,
    left: Annotated[int, typer.Option(min=0)] = 0,
    side: Annotated[int, typer.Option(min=8)] = 128,
    crf: Annotated[
        int | None, typer.Option(min=0, max=51, help="Encode the reduced picture with x264 first.")
    ] = None,
) -> None:
    """A cut-out of a picture, reduced and upscaled: bicubic, the networks and the truth side by side."""
    with training_exit_codes():
        check_scale(scale)
        if out.suffix.lower() != ".png":
            raise UsageError(f"{out} is no name of a PNG file; give one that ends in .png")
        check_output(picture, out, overwrite=True)
        luma = read_luma(picture)
        if min(luma.shape) < 2 * scale:
            whole = f"{luma.shape[1]}x{luma.shape[0]}"
            raise UsageError(f"{picture} is {whole}; a comparison needs sides of at least {2 * scale} pixels")
        # The encoder wants even sides of the low resolution.
        height, width = (n // (2 * scale) * 2 * scale for n in luma.shape)
        methods = {
            "bicubic": interpolations(scale)["bicubic"],
            **networks(network or shipped_networks(), scale),
        }
        pair = clean_pair(luma[:height, :width], scale)
        low = pair.low if crf is None else encode_and_decode([pair.low] * 3, "libx264", crf)[1]
        sheet = comparison(low, pair.high, methods, (top, left), side)
        with complete_file(out) as temporary:
            Image.fromarray(sheet).save(temporary)
    print(f"{out}: {', '.join([*methods, 'truth'])}")

"""The commands that measure models: evaluate, evaluate-chroma, evaluate-video, report, compare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from training import report as reports
from training.cache import (
    clean_pair,
)
from training.chroma import evaluate_chroma
from training.codec import encode_and_decode
from training.evaluate import (
    REDUCTIONS,
    Method,
    Reduction,
    Score,
    check_sets,
    evaluate_pictures,
    evaluate_video,
    fsrcnn,
    interpolations,
    networks,
    read_clip,
    shipped_networks,
)
from training.options import (
    AsJson,
    Networks,
    Scales,
    chosen_scales,
    command_errors,
)
from training.pictures import read_luma
from vs_emtcm.errors import UsageError
from vs_emtcm.models import check_scale
from vs_emtcm.output import check_output, complete_file
from vs_emtcm.upscaler import Upscaler


def _print_scores(scores: list[Score], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(score) for score in scores], indent=1))
        return
    for s in scores:
        fidelity = "" if s.vif is None else f" / VIF {s.vif:.3f}"
        what = f"{s.name} x{s.scale} {s.reduction}: {s.method}"
        print(f"{what} {s.psnr:.2f} dB / {s.ssim:.4f}{fidelity} ({s.pictures})")


def evaluate(
    data: Annotated[Path, typer.Option(help="High-resolution pictures, or one folder per set.")],
    network: Networks = None,
    scale: Scales = None,
    reduction: Annotated[
        Reduction | None,
        typer.Option(help="What is reduced: luma or rgb; both, one after the other, without it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """PSNR and SSIM on pictures by the papers' protocols, beside bicubic and Lanczos."""
    with command_errors():
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
    _print_scores(scores, as_json)


def evaluate_colours(
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
    with command_errors():
        scales = chosen_scales(scale or [2], [])
        scores = [
            score
            for s in scales
            for quality in crf or (None,)
            for score in evaluate_chroma(data, Upscaler(s, model=model, tune=tune), quality)
        ]
    if as_json:
        print(json.dumps([asdict(score) for score in scores], indent=1))
        return
    for found in scores:
        coded = "" if found.crf is None else f" CRF {found.crf}"
        print(
            f"{found.name} x{found.scale}{coded}: Spline36 {found.spline36:.2f} dB, "
            f"ours {found.ours:.2f} dB ({found.pictures})"
        )


Fsrcnn = Annotated[
    Path | None, typer.Option(help="Folder of OpenCV's FSRCNN_x2.pb, ..., to be scored as well.")
]


def _video_methods(names: list[str] | None, scale: int, peers: Path | None) -> Mapping[str, Method]:
    methods = dict(interpolations(scale))
    if peers is not None:
        methods["FSRCNN"] = fsrcnn(peers / f"FSRCNN_x{scale}.pb", scale)
    return {**methods, **networks(names or shipped_networks(), scale)}


def evaluate_clips(
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
    fsrcnn_from: Fsrcnn = None,
    as_json: AsJson = False,
) -> None:
    """PSNR, SSIM and VIF on clips that were downscaled, noisy if asked for, and H.264-compressed."""
    with command_errors():
        scales = chosen_scales(scale or [2], [])
        methods = {s: _video_methods(network, s, fsrcnn_from) for s in scales}
        for clip in clips:
            read_clip(clip, 1, 2 * max(scales))
        scores = [
            score
            for s in scales
            for clip in clips
            for grain in noise or (0.0,)
            for quality in crf or (23, 28)
            for score in evaluate_video(clip, s, quality, frames, methods[s], grain)
        ]
    _print_scores(scores, as_json)


def _read_scores(path: Path) -> list[Score]:
    try:
        scores = [Score(**row) for row in json.loads(path.read_text())]
    except (ValueError, TypeError):
        scores = []
    if not scores:
        raise UsageError(f"{path} holds no scores; make some with 'evaluate --json'")
    return scores


def report(
    out: Annotated[Path, typer.Option(help="Folder for pareto.png.")],
    pictures: Annotated[Path, typer.Option(help="Output of 'evaluate --json'.")],
    video: Annotated[Path | None, typer.Option(help="Output of 'evaluate-video --json'.")] = None,
) -> None:
    """Print tables of scores beside the peers', and plot PSNR against cost."""
    with command_errors():
        scores = _read_scores(pictures)
        for reduction, scale in sorted({(s.reduction, s.scale) for s in scores}):
            table = reports.picture_table(scores, scale, reduction)
            print(f"### x{scale}, reductions of {reduction}\n\n{table}\n")
        if video is not None:
            print(f"### Video\n\n{reports.video_table(_read_scores(video))}")
        out.mkdir(parents=True, exist_ok=True)
        reports.pareto_plot(scores, reports.ordered_sets(scores)[0], out / "pareto.png")


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
    with command_errors():
        check_scale(scale)
        if out.suffix.lower() != ".png":
            raise UsageError(f"{out} is no name of a PNG file; give one that ends in .png")
        check_output(picture, out, overwrite=True)
        luma = read_luma(picture)
        height, width = (n // (2 * scale) * 2 * scale for n in luma.shape)
        methods = {
            "bicubic": interpolations(scale)["bicubic"],
            **networks(network or shipped_networks(), scale),
        }
        pair = clean_pair(luma[:height, :width], scale)
        low = pair.low if crf is None else encode_and_decode([pair.low] * 3, "libx264", crf)[1]
        sheet = reports.comparison(low, pair.high, methods, (top, left), side)
        with complete_file(out) as temporary:
            Image.fromarray(sheet).save(temporary)
    print(f"{out}: {', '.join([*methods, 'truth'])}")

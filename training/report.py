"""Tables and plots of scores beside the peers', for documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from training.cache import Plane
from training.evaluate import Method, Reduction, Score
from training.markdown import table
from vs_emtcm.errors import UsageError
from vs_emtcm.models import load, resolve
from vs_emtcm.output import complete_file
from vs_emtcm.shape import Shape, macs_per_pixel

SETS = ("Set5", "Set14", "BSD100", "Urban100")
OUTPUT_PIXELS = 1280 * 720


class Peer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A published network; scores are in the order of ``SETS``.

    Attributes:
        name: of the network.
        source: of its scores.
        gmac: at x2, see :func:`gmac`.
        x2, x3, x4: PSNR.
        ssim_x2, ssim_x3, ssim_x4: SSIM.
    """

    name: str
    source: str
    gmac: float
    x2: list[float] = []
    x3: list[float] = []
    x4: list[float] = []
    ssim_x2: list[float] = []
    ssim_x3: list[float] = []
    ssim_x4: list[float] = []

    def cells(self, scale: int) -> list[str]:
        """One cell of a table for each of its sets."""
        psnr, ssim = getattr(self, f"x{scale}"), getattr(self, f"ssim_x{scale}")
        return (
            [f"{p:.2f} / {s:.4f}" for p, s in zip(psnr, ssim, strict=True)]
            if ssim
            else [f"{p:.2f}" for p in psnr]
        )


def read_peers() -> list[Peer]:
    """The peers of ``peers.toml``."""
    text = Path(__file__).with_name("peers.toml").read_bytes()
    return msgspec.toml.decode(text, type=dict[str, list[Peer]])["peers"]


def gmac(shape: Shape, scale: int, stages: int) -> float:
    """Multiply-accumulates for a 1280x720 output, in thousands of millions."""
    return macs_per_pixel(shape, scale, stages) * OUTPUT_PIXELS / scale**2 / 1e9


def ordered_sets(scores: Iterable[Score]) -> list[str]:
    """Names of the sets that were scored: those of ``SETS`` first, in their order."""
    found = dict.fromkeys(score.name for score in scores)
    return [*(name for name in SETS if name in found), *(name for name in found if name not in SETS)]


def cost(method: str, scale: int) -> tuple[int, float] | None:
    """Parameters and GMAC of a shipped network such as ``base-clean/2``; None of other methods."""
    model, _, stages = method.rpartition("/")
    if model.endswith(".safetensors"):
        weights = load(Path(model), scale)
    elif "-" in model:
        name, _, tune = model.rpartition("-")
        weights = load(resolve(name, tune), scale)
    else:
        return None
    first = ("head", "body1", "estimate1")
    parameters = sum(
        tensor.size for key, tensor in weights.tensors.items() if stages == "2" or key.startswith(first)
    )
    return parameters, gmac(weights.shape, scale, int(stages))


def picture_table(scores: Iterable[Score], scale: int, reduction: Reduction) -> str:
    """A Markdown table of one scale: ours by cost, then the peers.

    Published figures stand beside reductions of luma, figures measured with the peers' own weights
    beside reductions of RGB, which is what they were measured on.
    """
    found = {(s.method, s.name): s for s in scores if (s.scale, s.reduction) == (scale, reduction)}
    sets = ordered_sets(found.values())
    rows = []
    for method in dict.fromkeys(method for method, _ in found):
        parts = cost(method, scale)
        numbers = ["-", "-"] if parts is None else [f"{parts[0]:,}", f"{parts[1]:.2f}"]
        cells = [
            f"{found[method, name].psnr:.2f} / {found[method, name].ssim:.4f}"
            if (method, name) in found
            else "-"
            for name in sets
        ]
        rows.append([method, *numbers, *cells])
    for peer in read_peers():
        known = dict(zip(SETS, peer.cells(scale), strict=False))
        cells = [known.get(name, "-") for name in sets]
        if not known.keys().isdisjoint(sets) and (peer.source == "measured") == (reduction == "rgb"):
            cost_here = f"{peer.gmac:g}" if scale == 2 else "-"
            rows.append([f"{peer.name}, {peer.source}", "-", cost_here, *cells])
    return table(["network", "parameters", "GMAC", *sets], rows)


def video_table(scores: Sequence[Score]) -> str:
    """A Markdown table of clips: PSNR, SSIM and VIF of every method."""
    methods = list(dict.fromkeys(s.method for s in scores))
    rows = []
    for clip, scale in dict.fromkeys((s.name, s.scale) for s in scores):
        found = {s.method: s for s in scores if (s.name, s.scale) == (clip, scale)}
        cells = [_psnr_ssim_vif(found[method]) if method in found else "-" for method in methods]
        rows.append([f"{clip}, x{scale}", *cells])
    return table(["clip", *methods], rows)


def _psnr_ssim_vif(score: Score) -> str:
    vif = "-" if score.vif is None else f"{score.vif:.3f}"
    return f"{score.psnr:.2f} / {score.ssim:.4f} / {vif}"


def pareto_plot(scores: Iterable[Score], name: str, path: Path) -> None:
    """Plot PSNR against GMAC at x2 on one set, ours and the peers', as a PNG; ours on reductions of RGB.

    Methods of unknown cost and sets that the peers were not scored on are left out.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(
        xscale="log", xlabel="GMAC for a 1280x720 output", ylabel=f"PSNR on {name}, x2 (dB)"
    )
    column = SETS.index(name) if name in SETS else len(SETS)
    for marker, colour, measured in (("o", "tab:gray", False), ("s", "tab:blue", True)):
        peers = [p for p in read_peers() if (p.source == "measured") == measured and len(p.x2) > column]
        if not peers:
            continue
        label = "peers, re-measured" if measured else "peers, published"
        axes.scatter(
            [p.gmac for p in peers], [p.x2[column] for p in peers], marker=marker, c=colour, label=label
        )
        for peer in peers:
            axes.annotate(
                peer.name, (peer.gmac, peer.x2[column]), (4, -9), textcoords="offset points", fontsize=7
            )
    points: dict[str, list[tuple[float, float]]] = {}
    for score in scores:
        if (score.scale, score.name, score.reduction) != (2, name, "rgb"):
            continue
        parts = cost(score.method, 2)
        if parts is not None:
            points.setdefault(score.method.rpartition("/")[0], []).append((parts[1], score.psnr))
    for model, line in points.items():
        axes.plot(
            *zip(*sorted(line), strict=True),
            marker="*",
            markersize=12,
            label=f"EMTCM {model}, by stages",
        )
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    with complete_file(path) as temporary:
        figure.savefig(temporary, dpi=110)


def comparison(
    low: Plane, high: Plane, methods: Mapping[str, Method], corner: tuple[int, int], side: int
) -> Plane:
    """A cut-out of every method's result and the truth side by side, enlarged twice.

    Args:
        low, high: a picture and its low-resolution version.
        methods: from left to right.
        corner: top and left of the cut-out in ``high``.
        side: of the cut-out.

    Raises:
        UsageError: it is not within the picture.
    """
    top, left = corner
    height, width = high.shape
    if top + side > height or left + side > width:
        raise UsageError(
            f"{side} pixels from {top} down and {left} across are not all within the picture of "
            f"{width}x{height}; change --top, --left or --side"
        )
    parts = [
        picture[top : top + side, left : left + side]
        for picture in (*(run(low.astype(np.float64)) for run in methods.values()), high)
    ]
    row = Image.fromarray(np.hstack(parts))
    return np.asarray(row.resize((row.width * 2, row.height * 2), Image.Resampling.NEAREST))

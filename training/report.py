"""Tables and plots of scores beside the peers', for documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from training.markdown import table
from training.peers import SETS, read_peers
from training.scores import Reduction, Score
from vs_emtcm.models import resolve
from vs_emtcm.output import complete_file
from vs_emtcm.shape import Shape, macs_per_pixel
from vs_emtcm.weights_file import load_weights

# Size of the output by which papers state a network's cost.
OUTPUT_PIXELS = 1280 * 720


def gmac(shape: Shape, scale: int, stages: int) -> float:
    """Return the multiply-accumulates of a network for a 1280x720 output, in thousands of millions."""
    return macs_per_pixel(shape, scale, stages) * OUTPUT_PIXELS / scale**2 / 1e9


def ordered_sets(scores: Iterable[Score]) -> list[str]:
    """Return the names of the sets that were scored: those of ``SETS`` first, in their order."""
    found = dict.fromkeys(score.name for score in scores)
    return [*(name for name in SETS if name in found), *(name for name in found if name not in SETS)]


def cost(method: str, scale: int) -> tuple[int, float] | None:
    """Return the number of parameters and the GMAC of a network, see :func:`training.methods.networks`.

    Other methods have no known cost: None.
    """
    model, _, stages = method.rpartition("/")
    if stages not in ("1", "2"):
        return None
    if model.endswith(".safetensors"):
        weights = load_weights(Path(model), scale)
    elif "-" in model:
        name, _, tune = model.rpartition("-")
        weights = load_weights(resolve(name, tune), scale)
    else:
        return None
    first = ("head", "body1", "estimate1")
    parameters = sum(
        tensor.size for key, tensor in weights.tensors.items() if stages == "2" or key.startswith(first)
    )
    return parameters, gmac(weights.shape, scale, int(stages))


def picture_table(scores: Iterable[Score], scale: int, reduction: Reduction) -> str:
    """Return a Markdown table of PSNR / SSIM at one scale: our methods, then the peers.

    The peers' published figures stand beside reductions of luma. Figures measured with the peers' own weights
    stand beside reductions of RGB, on which they were measured.
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
    """Return a Markdown table of clips: PSNR / SSIM / VIF of every method."""
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
    """Plot PSNR against GMAC at x2 on one set, ours (on reductions of RGB) and the peers', as a PNG.

    Methods of unknown cost, and peers that have no score on the set, are left out.

    Args:
        scores: ours, of any set, scale and reduction.
        name: of the set.
        path: of the PNG.
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

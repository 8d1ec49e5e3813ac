"""How the commands that measure print scores of pictures and video."""

from __future__ import annotations

from collections.abc import Sequence

from training.scores import Score


def print_scores(scores: Sequence[Score]) -> None:
    """Print one line for each score."""
    for s in scores:
        fidelity = "" if s.vif is None else f" / VIF {s.vif:.3f}"
        what = f"{s.name} x{s.scale} {s.reduction}: {s.method}"
        print(f"{what} {s.psnr:.2f} dB / {s.ssim:.4f}{fidelity} ({s.pictures})")

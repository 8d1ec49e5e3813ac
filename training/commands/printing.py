"""How the commands that measure print scores of pictures and video."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from training.chroma_scores import ChromaScore
from training.scores import Score


def print_scores(scores: Sequence[Score]) -> None:
    """Print one line for each score."""
    for s in scores:
        fidelity = "" if s.vif is None else f" / VIF {s.vif:.3f}"
        what = f"{s.name} x{s.scale} {s.reduction}: {s.method}"
        print(f"{what} {s.psnr:.2f} dB / {s.ssim:.4f}{fidelity} ({s.pictures})")


def say_exact(scores: Sequence[Score] | Sequence[ChromaScore]) -> None:
    """Name on stderr, each once, the pictures that do not count in the PSNR of their set."""
    pictures = dict.fromkeys(f"{s.name}: {picture}" for s in scores for picture in s.exact)
    if pictures:
        names = ", ".join(pictures)
        what = "given back exactly, which no mean PSNR can hold, and left out of it"
        print(f"training: {what}: {names}", file=sys.stderr)

"""Scores of methods: means over pairs of pictures, and their JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from training.methods import Luma, Method
from training.metrics import mean_psnr, psnr, ssim, vif
from vs_emtcm.errors import UsageError, reason
from vs_emtcm.models import SCALES

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Reduction = Literal["luma", "rgb"]
"""What is reduced to low resolution, see :func:`training.picture_scores.evaluate_pictures`."""
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)


@dataclass(frozen=True, kw_only=True)
class Score:
    """The mean scores of one method on one set of pictures or one clip.

    Attributes:
        name: of the set or clip.
        scale: 2, 3 or 4.
        method: what upscaled it.
        reduction: "luma" or "rgb"; always "luma" for video.
        psnr: in dB, without the pictures of ``exact``; infinite if none is left.
        ssim: 0..1.
        vif: visual information fidelity, 0..1 and above for sharpened pictures; None for pictures.
        pictures: how many.
        exact: names of the pictures that a method gave back exactly, see :func:`training.metrics.mean_psnr`.
    """

    name: str
    scale: int
    method: str
    reduction: Reduction = "luma"
    psnr: float
    ssim: float
    vif: float | None = None
    pictures: int
    exact: tuple[str, ...] = ()


def score_methods(
    name: str,
    scale: int,
    pairs: Iterable[tuple[str, Luma, NDArray[np.number]]],
    methods: Mapping[str, Method],
    *,
    reduction: Reduction,
    with_vif: bool,
) -> list[Score]:
    """Upscale every low-resolution picture by every method and compare the results with the truth.

    Args:
        name: of the set or clip.
        scale: 2, 3 or 4; also the width of the border that does not count, in pixels.
        pairs: each picture's name, low-resolution and high-resolution luma.
        methods: by name.
        reduction: how the low resolution was made.
        with_vif: also compute VIF, which takes longest.

    Returns:
        One score for each method.
    """
    names: list[str] = []
    decibels: list[list[float]] = []
    others: list[list[tuple[float, float]]] = []
    for picture, low, high in pairs:
        results = [run(low) for run in methods.values()]
        names.append(picture)
        decibels.append([psnr(result, high, scale) for result in results])
        others.append(
            [(ssim(r, high, scale), vif(r, high, scale) if with_vif else 0.0) for r in results],
        )
    psnrs, left_out = mean_psnr(decibels)
    means = np.mean(others, axis=0).tolist()
    exact = tuple(name for name, out in zip(names, left_out, strict=True) if out)
    return [
        Score(
            name=name,
            scale=scale,
            method=method,
            reduction=reduction,
            psnr=decibel,
            ssim=similarity,
            vif=fidelity if with_vif else None,
            pictures=len(names),
            exact=exact,
        )
        for method, decibel, (similarity, fidelity) in zip(methods, psnrs, means, strict=True)
    ]


def scores_json(scores: Sequence[DataclassInstance]) -> str:
    """Return scores as a JSON array of objects.

    JSON has no infinity: the PSNR of a result that is identical to the truth becomes null.
    """
    rows = [{key: _finite(value) for key, value in asdict(score).items()} for score in scores]
    return json.dumps(rows, indent=1, allow_nan=False)


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_scores(path: Path) -> list[Score]:
    """Read a file that holds the scores of :func:`scores_json`.

    Raises:
        UsageError: it cannot be read, or holds none.
    """
    try:
        scores = msgspec.convert(_with_infinity(json.loads(path.read_text())), list[Score])
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {reason(error)}; give the output of --json") from error
    except (ValueError, RecursionError, msgspec.ValidationError):
        scores = []
    if not scores or any(score.scale not in SCALES for score in scores):
        raise UsageError(f"{path} holds no scores; make some with 'evaluate --json'")
    return scores


def _with_infinity(rows: Any) -> Any:
    """Undo what :func:`scores_json` does to infinite PSNR; what holds no scores stays as it is."""
    if not isinstance(rows, list):
        return rows
    return [
        {**row, "psnr": math.inf} if isinstance(row, dict) and row.get("psnr", 0) is None else row
        for row in rows
    ]

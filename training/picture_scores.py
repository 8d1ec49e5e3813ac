"""Scores of pictures by the protocols of super-resolution papers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from training.imresize import downscale, downscale_8bit, to_8bit
from training.methods import Luma, Method
from training.metrics import SSIM_WINDOW
from training.pairs import Plane
from training.pictures import (
    PictureError,
    each_picture,
    find_pictures,
    is_picture,
    luma_of_rgb,
    read_luma,
    read_rgb,
)
from training.scores import Reduction, Score, score_methods


def picture_sets(folder: Path) -> Mapping[str, Path]:
    """Return the sets of a data folder by name: its sub-folders, or the folder itself if it has none.

    Raises:
        PictureError: the folder does not exist, or holds both folders and pictures.
    """
    if not folder.is_dir():
        raise PictureError(f"{folder} is not a folder; give a folder of pictures")
    sets = {p.name: p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")}
    if not sets:
        return {folder.name: folder}
    loose = [p.name for p in folder.iterdir() if is_picture(p)]
    if loose:
        raise PictureError(
            f"{folder} holds both folders and pictures ({loose[0]}, ...); give one folder per set"
        )
    return sets


def check_sets(folder: Path, scales: Iterable[int]) -> None:
    """Check that every picture of every set can be scored at all scales.

    Raises:
        PictureError: some cannot, and the message names them all; or a set holds no picture.
    """

    def check(path: Path) -> None:
        picture = read_rgb(path)
        for scale in scales:
            cropped_to_multiple(picture, scale, path, SSIM_WINDOW + 2 * scale)

    paths = [path for own in picture_sets(folder).values() for path in find_pictures(own)]
    for _ in each_picture(paths, check):
        pass


def evaluate_pictures(
    folder: Path, scale: int, methods: Mapping[str, Method], reduction: Reduction
) -> list[Score]:
    """Score methods on every set of a folder by one of the two protocols of super-resolution papers.

    In both, the high resolution is cropped to a multiple of the scale; the low resolution is its reduction by
    MATLAB's bicubic, rounded to 8 bits; and a border of ``scale`` pixels does not count.

    Args:
        folder: pictures, or one folder for each set.
        scale: 2, 3 or 4.
        methods: what upscales them.
        reduction: "luma": the picture is turned into luma, rounded to 8 bits, then reduced. "rgb": its
            three colours are reduced, then the luma of both is taken, not rounded.

    Returns:
        One score for each set and method.

    Raises:
        PictureError: there is no picture, or one cannot be read or is too small.
    """
    pairs = {"luma": _luma_pair, "rgb": _rgb_pair}[reduction]
    return [
        score
        for name, path in picture_sets(folder).items()
        for score in score_methods(
            name,
            scale,
            ((str(p.relative_to(path)), *pairs(p, scale)) for p in find_pictures(path)),
            methods,
            reduction=reduction,
            with_vif=False,
        )
    ]


def _luma_pair(path: Path, scale: int) -> tuple[Luma, Luma]:
    high = cropped_to_multiple(read_luma(path), scale, path, SSIM_WINDOW + 2 * scale)
    return to_8bit(downscale(high, scale)).astype(np.float64), high.astype(np.float64)


def _rgb_pair(path: Path, scale: int) -> tuple[Luma, Luma]:
    high = cropped_to_multiple(read_rgb(path), scale, path, SSIM_WINDOW + 2 * scale)
    low = [downscale_8bit(high[..., colour], scale) for colour in range(3)]
    return luma_of_rgb(np.stack(low, axis=-1)), luma_of_rgb(high)


def cropped_to_multiple(picture: Plane, unit: int, source: Path, smallest: int) -> Plane:
    """Crop a picture, (H, W) or (H, W, 3), at the bottom and on the right.

    Args:
        picture: what is cropped.
        unit: both sides become multiples of this.
        source: what to call the picture in messages.
        smallest: pixels that each side must have afterwards.

    Raises:
        PictureError: a side has fewer.
    """
    height, width = (n // unit * unit for n in picture.shape[:2])
    if min(height, width) < smallest:
        whole = f"{picture.shape[1]}x{picture.shape[0]}"
        raise PictureError(f"{source} is {whole}; scores need sides of at least {smallest} pixels")
    return picture[:height, :width]

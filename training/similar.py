"""Finding pictures of a test set among training pictures, by perceptual hash."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import imagehash
from PIL import Image

from training.pictures import PictureError, each_picture, read_picture

# Bits of 64 in which the hashes of two copies of one picture may differ after scaling, compression
# or a change of brightness. Different pictures differ in about half of them.
TOLERANCE = 6
# Side in pixels to which a picture is reduced before it is hashed.
SIDE = 32


def perceptual_hashes(path: Path) -> list[imagehash.ImageHash]:
    """Return the hashes of a picture in its eight orientations, its own first.

    Crops are trained on in all eight. The hash has 64 bits, one for each low frequency of the picture's
    cosine transform (Zauner, 2010).

    Raises:
        PictureError: the file cannot be read as a picture.
    """
    small = read_picture(path).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    turned = (small.transpose(turn) for turn in Image.Transpose)
    return [imagehash.phash(picture) for picture in (small, *turned)]


def refuse_similar(pictures: Iterable[Path], others: Iterable[Path]) -> None:
    """Refuse pictures that show the same as one of ``others``.

    Raises:
        PictureError: some do, or some cannot be read as a picture; the message names them all.
    """
    found = find_similar(pictures, others)
    if found:
        each = ", ".join(f"{picture} (shows what {other} shows)" for picture, other in found)
        raise PictureError(f"these pictures are of a test set, take them out: {each}")


def find_similar(pictures: Iterable[Path], others: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Find pairs of a picture and one of ``others`` that show the same.

    Raises:
        PictureError: some cannot be read as a picture; the message names them all.
    """
    known = [(path, hashes[0]) for path, hashes in each_picture(others, perceptual_hashes)]
    return [
        (path, other)
        for path, hashes in each_picture(pictures, perceptual_hashes)
        for other, wanted in known
        if any(found - wanted <= TOLERANCE for found in hashes)
    ]

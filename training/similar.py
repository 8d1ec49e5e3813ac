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


# Pixels of a side that the hash looks at.
SIDE = 32


def perceptual_hashes(path: Path) -> list[imagehash.ImageHash]:
    """Hashes of a picture in its eight orientations, its own first: crops are trained in all of them.

    The hash is that of the low frequencies of its cosine transform (Zauner, 2010), 64 bits.

    Raises:
        PictureError: the file cannot be read as a picture.
    """
    small = read_picture(path).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    turned = (small.transpose(turn) for turn in Image.Transpose)
    return [imagehash.phash(picture) for picture in (small, *turned)]


def refuse_similar(pictures: Iterable[Path], others: Iterable[Path]) -> None:
    """See to it that none of the pictures is one of ``others``.

    Raises:
        PictureError: some are, or some cannot be read as a picture; the message names all.
    """
    found = find_similar(pictures, others)
    if found:
        each = ", ".join(f"{picture} (shows what {other} shows)" for picture, other in found)
        raise PictureError(f"these pictures are of a test set, take them out: {each}")


def find_similar(pictures: Iterable[Path], others: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Pairs of a picture and one of ``others`` that show the same.

    Raises:
        PictureError: some cannot be read as a picture; the message names all.
    """
    known = [(path, hashes[0]) for path, hashes in each_picture(others, perceptual_hashes)]
    return [
        (path, other)
        for path, hashes in each_picture(pictures, perceptual_hashes)
        for other, wanted in known
        if any(found - wanted <= TOLERANCE for found in hashes)
    ]

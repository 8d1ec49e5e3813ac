"""Finding pictures of a test set among training pictures, by perceptual hash."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import imagehash
from PIL import Image

from training.pictures import PictureError, read_picture

# Bits of 64 in which the hashes of two copies of one picture may differ after scaling, compression
# or a change of brightness. Different pictures differ in about half of them.
TOLERANCE = 6


def perceptual_hashes(path: Path) -> list[imagehash.ImageHash]:
    """Hashes of a picture and of its mirror image.

    The hash is that of the low frequencies of its cosine transform (Zauner, 2010), 64 bits.

    Raises:
        PictureError: the file cannot be read as a picture.
    """
    grey = read_picture(path).convert("L")
    mirrored = grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return [imagehash.phash(grey), imagehash.phash(mirrored)]


def refuse_similar(pictures: Iterable[Path], others: Iterable[Path]) -> None:
    """See to it that none of the pictures is one of ``others``.

    Raises:
        PictureError: some are, the message names all, or a file cannot be read as a picture.
    """
    found = find_similar(pictures, others)
    if found:
        each = ", ".join(f"{picture} (shows what {other} shows)" for picture, other in found)
        raise PictureError(f"these pictures are of a test set, take them out: {each}")


def find_similar(pictures: Iterable[Path], others: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Pairs of a picture and one of ``others`` that show the same.

    Raises:
        PictureError: a file cannot be read as a picture.
    """
    known = [(path, perceptual_hashes(path)[0]) for path in others]
    return [
        (path, other)
        for path in pictures
        for hashes in (perceptual_hashes(path),)
        for other, wanted in known
        if any(found - wanted <= TOLERANCE for found in hashes)
    ]

"""The quality of a JPEG file, and the tuning that suits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from vs_emtcm.pillow import UNREADABLE

# Sum of the luminance quantisers of quality 50 (ITU-T T.81, annex K).
STANDARD_SUM = 3688
# The lowest quality for which "clean" is nearer to the truth than "video" (docs/experiments.md).
CLEAN_FROM = 92


def usual_tune(path: Path) -> str:
    """The tuning that suits most such pictures: "video" for JPEG of low quality, otherwise "clean".

    A file that is no picture gets "clean"; :func:`vs_emtcm.pictures.reader.read_picture` says what it is.
    """
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            tables: Mapping[int, list[int]] = getattr(image, "quantization", {})
    except (*UNREADABLE, Image.DecompressionBombError):
        return "clean"
    return "video" if tables and quality_of(tables) < CLEAN_FROM else "clean"


def quality_of(tables: Mapping[int, Sequence[int]]) -> float:
    """Estimate the quality setting of the Independent JPEG Group's library that gives these quantisers.

    Args:
        tables: Pillow's ``quantization``; the first is that of luma.

    Returns:
        0 to 100; below 25 it is too high, as quantisers end at 255.
    """
    percent = 100 * sum(tables[min(tables)]) / STANDARD_SUM
    return (200 - percent) / 2 if percent <= 100 else 5000 / percent

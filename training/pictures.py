"""Reading pictures as RGB and as BT.601 luma."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".tif", ".tiff"})


class PictureError(Exception):
    """A picture or a folder of pictures that cannot be used; the message says why."""


def find_pictures(folder: Path) -> list[Path]:
    """All pictures below ``folder``, sorted by path.

    Raises:
        PictureError: the folder does not exist or holds no picture.
    """
    if not folder.is_dir():
        raise PictureError(f"{folder} is not a folder; give a folder of pictures")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not found:
        accepted = ", ".join(sorted(SUFFIXES))
        raise PictureError(f"{folder} holds no picture; accepted are {accepted}")
    return found


def luma_of_rgb(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Studio-range luma (16..235) of 8-bit RGB, not rounded (ITU-R BT.601, MATLAB's ``rgb2ycbcr``).

    Args:
        rgb: (H, W, 3).

    Returns:
        (H, W) float64.
    """
    weights = np.array([65.481, 128.553, 24.966]) / 255
    return rgb.astype(np.float64) @ weights + 16


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8; transparent parts are laid over white.

    Raises:
        PictureError: the file is no picture, is damaged, or is CMYK.
    """
    return _rgb(_read(path))


def read_luma(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W) uint8 luma, rounded; transparent parts are laid over white.

    Grey pictures are taken as they are, as in the published benchmarks (Set14's "bridge").

    Raises:
        PictureError: the file is no picture, is damaged, or is CMYK.
    """
    picture = _read(path)
    if picture.mode in ("1", "L") and not picture.has_transparency_data:
        return np.asarray(picture.convert("L"))
    return np.floor(luma_of_rgb(_rgb(picture)) + 0.5).astype(np.uint8)


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    rgba = picture.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            if picture.mode == "CMYK":
                raise PictureError(f"{path} is a CMYK picture; convert it to RGB first")
            picture.load()
            return picture.copy()
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise PictureError(f"{path} cannot be read as a picture: {error}") from error

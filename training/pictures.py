"""Reading pictures as RGB and as BT.601 luma."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vs_emtcm.errors import UsageError
from vs_emtcm.pillow import UNREADABLE, opened_formats

# Suffixes of the files that are taken for pictures.
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".tif", ".tiff"})
# Pillow's 8-bit modes that can be read, beside 16-bit grey.
MODES = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "YCbCr", "HSV"})


class PictureError(UsageError):
    """A picture or a folder of pictures that cannot be used; the message says why."""


def find_pictures(folder: Path) -> list[Path]:
    """Find all pictures below ``folder``, sorted by path, without hidden files and folders.

    Raises:
        PictureError: the folder does not exist or holds no picture.
    """
    if not folder.is_dir():
        raise PictureError(f"{folder} is not a folder; give a folder of pictures")
    found = sorted(p for p in folder.rglob("*") if is_picture(p) and not _hidden(p.relative_to(folder)))
    if not found:
        accepted = ", ".join(sorted(SUFFIXES))
        raise PictureError(f"{folder} holds no picture; accepted are {accepted}")
    return found


def is_picture(path: Path) -> bool:
    """Return whether a path is a file that is named like a picture, and not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def each_picture[T](paths: Iterable[Path], read: Callable[[Path], T]) -> Iterator[tuple[Path, T]]:
    """Read pictures one after the other; after a bad one, the others are read but not yielded.

    Args:
        paths: of the pictures.
        read: reads one, and raises :class:`PictureError` if it is bad.

    Yields:
        A path, and what ``read`` made of it.

    Raises:
        PictureError: after the last picture, if any is bad; the message names all.
    """
    bad = []
    for path in paths:
        try:
            result = read(path)
        except PictureError as error:
            bad.append(str(error))
            continue
        if not bad:
            yield path, result
    if bad:
        raise PictureError("; ".join(bad))


def luma_of_rgb(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the studio-range luma of 8-bit RGB (ITU-R BT.601, MATLAB's ``rgb2ycbcr``).

    Args:
        rgb: (H, W, 3).

    Returns:
        (H, W) float64 of 16..235, not rounded.
    """
    weights = np.array([65.481, 128.553, 24.966]) / 255
    return rgb.astype(np.float64) @ weights + 16


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8; transparent parts are laid over white.

    Raises:
        PictureError: see :func:`read_picture`.
    """
    return _rgb(read_picture(path))


def read_luma(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W) uint8 luma, rounded; transparent parts are laid over white.

    Grey pictures are taken as they are, as in the published benchmarks (Set14's "bridge").

    Raises:
        PictureError: see :func:`read_picture`.
    """
    picture = read_picture(path)
    if picture.mode in ("1", "L") and not picture.has_transparency_data:
        return np.asarray(picture.convert("L"))
    return np.floor(luma_of_rgb(_rgb(picture)) + 0.5).astype(np.uint8)


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    rgba = picture.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))


def read_picture(path: Path) -> Image.Image:
    """Read a picture of any of Pillow's 8-bit modes; 16-bit grey becomes 8-bit grey.

    Raises:
        PictureError: the file is no picture, is damaged, or is CMYK, Lab or of 32 bits.
    """
    try:
        with Image.open(path, formats=opened_formats()) as picture:
            if picture.mode not in MODES and not picture.mode.startswith("I;16"):
                raise PictureError(
                    f"{path} is a {picture.mode} picture; convert it to 8-bit RGB or grey first"
                )
            picture.load()
            if picture.mode in MODES:
                return picture.copy()
            # Pillow's own conversion from 16 bits would clamp, not scale.
            return Image.fromarray(((np.asarray(picture).astype(np.float64) + 128) // 257).astype(np.uint8))
    except (Image.DecompressionBombError, *UNREADABLE) as error:
        raise PictureError(f"{path} cannot be read as a picture: {error}") from error

"""The cache: all training pairs, decoded once, as 8-bit luma in one memory-mapped file.

A cache is a folder of two files:

- ``pixels.bin`` holds the planes one after the other, see :mod:`training.store`.
- ``index.json`` holds the format's number, the CRC-32 of ``pixels.bin``, the scale and size of each pair, and
  the tune that the pairs are for. Caches of earlier versions do not say their tune.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from training.config import Scale, Tune
from training.folders import make_folder, remove_partial_files
from training.pairs import Pair
from training.store import SURROUNDINGS, PairStore, stores_of, with_surroundings
from vs_emtcm.errors import UsageError
from vs_emtcm.lock import locked
from vs_emtcm.output import complete_file, sync_file

FORMAT = 2
INDEX = "index.json"
PIXELS = "pixels.bin"
# Bytes of pixels.bin that are read at a time for its checksum.
CHUNK = 1 << 22

# Side in pixels of a stored low-resolution plane: one pixel at least, and the border around it.
StoredSide = Annotated[int, msgspec.Meta(ge=2 * SURROUNDINGS + 1)]


class CacheError(UsageError):
    """A cache that cannot be read; the message says why."""


class StoredPair(msgspec.Struct, frozen=True):
    """One pair of the index.

    Attributes:
        scale: of the pair.
        height, width: of the low-resolution plane in pixels, border included.
    """

    scale: Scale
    height: StoredSide
    width: StoredSide


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """The index of a cache.

    Attributes:
        format: number of the format.
        checksum: CRC-32 of ``pixels.bin``.
        pairs: in the order of ``pixels.bin``.
        tune: that the pairs are for; None if it is not known.
    """

    format: int
    checksum: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    pairs: tuple[StoredPair, ...]
    tune: Tune | None = None


def write_cache(folder: Path, pairs: Iterable[Pair], tune: Tune | None = None) -> int:
    """Write pairs into a cache and return their number.

    An existing cache is replaced only once the new one is complete, and stays if there are no pairs. A
    training that has it open keeps the pairs that it opened.

    Args:
        folder: of the cache; it is made if it is missing.
        pairs: those to write.
        tune: that the pairs are for; None if it is not known.

    Raises:
        UsageError: the folder cannot be made, or another command writes to it.
        EmtcmError, OSError: the cache cannot be written, such as for want of room.
    """
    make_folder(folder)
    remaining = iter(pairs)
    first = next(remaining, None)
    if first is None:
        return 0
    # Alone: the unfinished files of another command must not be taken for those of a killed one.
    with locked(folder, f"another command writes to {folder}; wait for its end, or give another folder"):
        remove_partial_files(folder)
        return _write(folder, chain([first], remaining), tune)


def _write(folder: Path, pairs: Iterable[Pair], tune: Tune | None) -> int:
    index, pixels = folder / INDEX, folder / PIXELS
    # The index is the outer one: it appears last.
    with complete_file(index) as new_index, complete_file(pixels) as new_pixels:
        sizes, checksum = [], 0
        with new_pixels.open("wb") as file:
            for pair in pairs:
                low, high = with_surroundings(pair)
                sizes.append({"scale": pair.scale, "height": low.shape[0], "width": low.shape[1]})
                for plane in (low.tobytes(), high.tobytes()):
                    file.write(plane)
                    checksum = zlib.crc32(plane, checksum)
        said = {} if tune is None else {"tune": tune}
        new_index.write_text(json.dumps({"format": FORMAT, "checksum": checksum, "pairs": sizes, **said}))
        # Without an index there is no cache: a kill from here on never leaves the index of one cache with
        # the pixels of another. What takes long is done before.
        sync_file(new_pixels)
        index.unlink(missing_ok=True)
    return len(sizes)


def fingerprint(folder: Path) -> str:
    """Return a short identifier of a cache's pairs: 16 hexadecimal digits, equal for equal pairs only.

    The cache must be readable; see :func:`read_cache`.
    """
    index = json.loads((folder / INDEX).read_text())
    # Pairs of an earlier version, whose index says no tune, keep their identifier.
    index.pop("tune", None)
    return hashlib.sha256(json.dumps(index).encode()).hexdigest()[:16]


def read_cache(folder: Path) -> Mapping[int, PairStore]:
    """Open a cache and return its memory-mapped pairs by scale.

    The pixels are not read; :func:`check_pixels` does that.

    Raises:
        CacheError: there is no cache in ``folder``, or it is empty or damaged.
    """
    index = _read_index(folder)
    sizes = [(pair.scale, pair.height, pair.width) for pair in index.pairs]
    try:
        pixels = np.memmap(folder / PIXELS, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise _missing(folder) from error
    if sum(height * width * (1 + scale * scale) for scale, height, width in sizes) != pixels.size:
        raise _damaged(folder)
    return stores_of(sizes, pixels)


def check_pixels(folder: Path) -> None:
    """Read all pixels of a cache once, and compare their checksum with the index's.

    Raises:
        CacheError: the pixels are not those that were written.
    """
    checksum = 0
    with (folder / PIXELS).open("rb") as file:
        while chunk := file.read(CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    if checksum != _read_index(folder).checksum:
        raise _damaged(folder)


def check_tune(folder: Path, tune: Tune) -> None:
    """Refuse a cache whose pairs are for another tune; one that does not say its tune is accepted.

    Raises:
        CacheError: the cache is for another tune, or its index cannot be read.
    """
    own = _read_index(folder).tune
    if own not in (None, tune):
        raise CacheError(
            f"{folder} is a cache for the tune {own!r}, and the recipe's is {tune!r}; "
            f"run 'python -m training prepare --tune {tune}'"
        )


def _read_index(folder: Path) -> Index:
    """Read the index of a cache.

    Raises:
        CacheError: there is none, or it is damaged, empty or of another format.
    """
    try:
        index = json.loads((folder / INDEX).read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise _missing(folder) from error
    if isinstance(index, dict) and index.get("format", FORMAT) != FORMAT:
        raise CacheError(f"{folder} is a cache of another format; run 'python -m training prepare' again")
    if isinstance(index, dict) and index.get("pairs") == []:
        raise CacheError(f"{folder} is an empty cache; run 'python -m training prepare' on larger pictures")
    try:
        return msgspec.convert(index, Index)
    except msgspec.ValidationError as error:
        raise _damaged(folder) from error


def _missing(folder: Path) -> CacheError:
    return CacheError(f"{folder} holds no cache; make one with 'python -m training prepare'")


def _damaged(folder: Path) -> CacheError:
    return CacheError(f"{folder} is damaged; run 'python -m training prepare' again")

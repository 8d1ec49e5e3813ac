"""The cache: all training pairs, decoded once, as 8-bit luma in one memory-mapped file.

A cache is a folder of two files:

- ``pixels.bin`` holds the planes one after the other, see :mod:`training.store`.
- ``index.json`` holds the format's number, the CRC-32 of ``pixels.bin``, and the scale and size of each pair.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path

import numpy as np

from training.pairs import Pair
from training.store import PairStore, stores_of, with_surroundings
from vs_emtcm.errors import UsageError
from vs_emtcm.output import complete_file, sync_file

FORMAT = 2
INDEX = "index.json"
PIXELS = "pixels.bin"


class CacheError(UsageError):
    """A cache that cannot be read; the message says why."""


def write_cache(folder: Path, pairs: Iterable[Pair]) -> int:
    """Write pairs into a cache and return their number.

    An existing cache is replaced only once the new one is complete, and stays if there are no pairs. A
    training that has it open keeps the pairs that it opened.

    Args:
        folder: of the cache; it is made if it is missing.
        pairs: those to write.

    Raises:
        EmtcmError, OSError: the cache cannot be written, such as for want of room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remaining = iter(pairs)
    first = next(remaining, None)
    if first is None:
        return 0
    index, pixels = folder / INDEX, folder / PIXELS
    # The index is the outer one: it appears last.
    with complete_file(index) as new_index, complete_file(pixels) as new_pixels:
        sizes, checksum = [], 0
        with new_pixels.open("wb") as file:
            for pair in chain([first], remaining):
                low, high = with_surroundings(pair)
                sizes.append({"scale": pair.scale, "height": low.shape[0], "width": low.shape[1]})
                for plane in (low.tobytes(), high.tobytes()):
                    file.write(plane)
                    checksum = zlib.crc32(plane, checksum)
        new_index.write_text(json.dumps({"format": FORMAT, "checksum": checksum, "pairs": sizes}))
        # Without an index there is no cache: a kill from here on never leaves the index of one cache with
        # the pixels of another. What takes long is done before.
        sync_file(new_pixels)
        index.unlink(missing_ok=True)
    return len(sizes)


def fingerprint(folder: Path) -> str:
    """Return a short identifier of a cache's pairs: 16 hexadecimal digits, equal for equal pairs only.

    The cache must be readable; see :func:`read_cache`.
    """
    return hashlib.sha256((folder / INDEX).read_bytes()).hexdigest()[:16]


def read_cache(folder: Path) -> Mapping[int, PairStore]:
    """Open a cache and return its memory-mapped pairs by scale.

    Raises:
        CacheError: there is no cache in ``folder``, or it is empty or damaged.
    """
    try:
        index = json.loads((folder / INDEX).read_text())
        if index["format"] != FORMAT:
            raise CacheError(f"{folder} is a cache of another format; run 'python -m training prepare' again")
        sizes = [(row["scale"], row["height"], row["width"]) for row in index["pairs"]]
        if not sizes:
            raise CacheError(
                f"{folder} is an empty cache; run 'python -m training prepare' on larger pictures"
            )
        expected = sum(height * width * (1 + scale * scale) for scale, height, width in sizes)
        pixels = np.memmap(folder / PIXELS, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise CacheError(f"{folder} holds no cache; make one with 'python -m training prepare'") from error
    except (KeyError, TypeError) as error:
        raise CacheError(f"{folder} is damaged; run 'python -m training prepare' again") from error
    if expected != pixels.size:
        raise CacheError(f"{folder} is damaged; run 'python -m training prepare' again")
    return stores_of(sizes, pixels)

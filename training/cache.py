"""The compact cache: all training pairs decoded once, as 8-bit luma in one memory-mapped file.

A cache is a folder of ``pixels.bin`` (the planes one after the other) and ``index.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.imresize import downscale, to_8bit

Plane = NDArray[np.uint8]
FORMAT = 1


class CacheError(Exception):
    """A cache that cannot be read; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A picture and its low-resolution version: (scale*H, scale*W) and (H, W) uint8 luma."""

    scale: int
    low: Plane
    high: Plane


def clean_pair(luma: Plane, scale: int) -> Pair:
    """A picture and its bicubic reduction, as in the benchmarks."""
    height, width = (n // scale * scale for n in luma.shape)
    high = luma[:height, :width]
    return Pair(scale=scale, low=to_8bit(downscale(high, scale)), high=high)


def write_cache(folder: Path, pairs: Iterable[Pair]) -> int:
    """Write all pairs; returns how many. The index appears last, so that a cache is whole or absent."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.json").unlink(missing_ok=True)
    rows = []
    with (folder / "pixels.bin").open("wb") as pixels:
        for pair in pairs:
            rows.append({"scale": pair.scale, "height": pair.low.shape[0], "width": pair.low.shape[1]})
            pixels.write(np.ascontiguousarray(pair.low).tobytes())
            pixels.write(np.ascontiguousarray(pair.high).tobytes())
    temporary = folder / "index.json.partial"
    temporary.write_text(json.dumps({"format": FORMAT, "pairs": rows}))
    temporary.replace(folder / "index.json")
    return len(rows)


def read_cache(folder: Path) -> Mapping[int, list[Pair]]:
    """Open a cache; the pairs of each scale, memory-mapped.

    Raises:
        CacheError: there is no cache in ``folder`` or it is damaged.
    """
    try:
        index = json.loads((folder / "index.json").read_text())
        pixels = np.memmap(folder / "pixels.bin", dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise CacheError(f"{folder} holds no cache; make one with 'python -m training prepare'") from error
    if index.get("format") != FORMAT:
        raise CacheError(f"{folder} is a cache of another format; run 'python -m training prepare' again")
    pairs: dict[int, list[Pair]] = {}
    offset = 0
    for row in index["pairs"]:
        scale, height, width = row["scale"], row["height"], row["width"]
        low = pixels[offset : offset + height * width].reshape(height, width)
        offset += low.size
        size = height * width * scale * scale
        high = pixels[offset : offset + size].reshape(height * scale, width * scale)
        offset += size
        pairs.setdefault(scale, []).append(Pair(scale=scale, low=low, high=high))
    if offset != pixels.size:
        raise CacheError(f"{folder} is damaged; run 'python -m training prepare' again")
    return pairs

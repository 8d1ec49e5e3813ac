"""What several commands make of their options, and the checks before the work begins."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch

from training.cache import check_pixels, check_tune, read_cache
from training.config import Tune
from training.distributed import is_first_process
from training.methods import held_scales
from training.store import PairStore
from vs_emtcm.errors import UsageError
from vs_emtcm.models import check_scale
from vs_emtcm.output import check_output


def chosen_scales(scales: list[int] | None, names: Sequence[str]) -> tuple[int, ...]:
    """Return the scales that the user wants, each once; without any, those that all of these networks have.

    Args:
        scales: of the command line.
        names: networks, see :func:`training.methods.networks`.

    Raises:
        UsageError: a scale is not 2, 3 or 4, or the networks have none in common.
    """
    if not scales:
        return held_scales(names)
    for scale in scales:
        check_scale(scale)
    return tuple(dict.fromkeys(scales))


def set_threads(threads: int) -> None:
    """Have PyTorch use so many CPU threads; 0 leaves it at its default."""
    if threads:
        torch.set_num_threads(threads)


def shall_compile(eager: bool, device: torch.device) -> bool:
    """Return whether the loss is compiled: unless ``eager``.

    Raises:
        UsageError: there is no C++ compiler to compile it with.
    """
    compiler = os.environ.get("CXX", "g++")
    if not eager and device.type == "cpu" and sys.platform == "linux" and shutil.which(compiler) is None:
        raise UsageError(
            f"there is no C++ compiler {compiler!r} to compile the loss with; install g++, name another in "
            "CXX, or give --eager"
        )
    return not eager


def read_checked_cache(folder: Path, tune: Tune) -> Mapping[int, PairStore]:
    """Open a cache of training pairs whose pixels are whole.

    Raises:
        CacheError: it cannot be read, is damaged, or is for another tune.
    """
    pairs = read_cache(folder)
    check_tune(folder, tune)
    _check_pixels_once(folder)
    return pairs


def read_two_caches(
    cache: Path, validation: Path, tunes: Collection[Tune]
) -> tuple[Mapping[int, PairStore], Mapping[int, PairStore]]:
    """Open the caches of training and validation pairs, whose pixels are whole.

    Args:
        cache, validation: their folders.
        tunes: of the recipes that are trained.

    Raises:
        CacheError: one cannot be read, is damaged, or is for another tune.
        UsageError: both are the same folder.
    """
    pairs, held_out = read_cache(cache), read_cache(validation)
    if cache.samefile(validation):
        raise UsageError(
            f"{cache} is given as --cache and as --validation; validate on pictures that are not trained on"
        )
    for folder in (cache, validation):
        for tune in tunes:
            check_tune(folder, tune)
    # This takes longest, so it comes last.
    for folder in (cache, validation):
        _check_pixels_once(folder)
    return pairs, held_out


def _check_pixels_once(folder: Path) -> None:
    # Of several processes one reads the pixels; the others wait for it when they join.
    if is_first_process():
        check_pixels(folder)


def check_weights_file(source: Path, out: Path) -> None:
    """Check, before the work, that a weights file made of ``source`` can be written to ``out``.

    Raises:
        UsageError: it cannot, or its name does not end in .safetensors.
    """
    if out.suffix != ".safetensors":
        raise UsageError(f"{out} is no name of a weights file; give one that ends in .safetensors")
    check_output(source, out, overwrite=True)

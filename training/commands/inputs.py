"""What several commands make of their options, and the checks before the work begins."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from training.cache import read_cache
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


def read_two_caches(cache: Path, validation: Path) -> tuple[Mapping[int, PairStore], Mapping[int, PairStore]]:
    """Open the caches of training and validation pairs.

    Raises:
        CacheError: one cannot be read.
        UsageError: both are the same folder.
    """
    pairs, held_out = read_cache(cache), read_cache(validation)
    if cache.samefile(validation):
        raise UsageError(
            f"{cache} is given as --cache and as --validation; validate on pictures that are not trained on"
        )
    return pairs, held_out


def check_weights_file(source: Path, out: Path) -> None:
    """Check, before the work, that a weights file made of ``source`` can be written to ``out``.

    Raises:
        UsageError: it cannot, or its name does not end in .safetensors.
    """
    if out.suffix != ".safetensors":
        raise UsageError(f"{out} is no name of a weights file; give one that ends in .safetensors")
    check_output(source, out, overwrite=True)

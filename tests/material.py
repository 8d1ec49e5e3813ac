"""Helpers that tests share: textures, the command in this process, programs without a package."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from vs_emtcm.cli import app


def run(*arguments: object) -> Result:
    """The ``vs-emtcm`` command with these arguments, in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def without(*packages: str) -> str:
    """A program that runs the script of its first argument where these packages cannot be imported."""
    return f"""
import runpy, sys
for name in {packages}:
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def texture(height: int, width: int, seed: int = 0) -> NDArray[np.float64]:
    """Edges, gradients and noise, 0..1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = 0.5 + 0.3 * np.sin(x / 3.1 + seed) * np.cos(y / 4.7) + 0.2 * ((x // 7 + y // 5) % 2)
    return np.clip(waves + rng.normal(0, 0.05, (height, width)), 0, 1)


def codes(height: int, width: int, bits: int = 8, seed: int = 0) -> NDArray[np.uint8 | np.uint16]:
    """:func:`texture` as integer code values that use the whole range."""
    dtype = np.uint8 if bits == 8 else np.uint16
    return np.round(texture(height, width, seed) * ((1 << bits) - 1)).astype(dtype)

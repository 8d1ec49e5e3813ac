"""The shipped models: their names, and what each is for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from vs_emtcm.errors import UsageError
from vs_emtcm.weights_file import TUNES
from vs_emtcm.whole import is_whole

SCALES = (2, 3, 4)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A shipped weights file.

    Attributes:
        name: size of the network.
        tune: the kind of source it was trained for.
        purpose: one line for users.
    """

    name: str
    tune: str
    purpose: str

    @property
    def path(self) -> Path:
        """The weights file."""
        return Path(__file__).parent / "weights" / f"{self.name}-{self.tune}.safetensors"


SHIPPED = (
    Model(
        name="base",
        tune="video",
        purpose="compressed, slightly noisy or blurred sources: nearly every video file",
    ),
    Model(
        name="base",
        tune="clean",
        purpose="sharp, uncompressed sources: renders, lossless captures, benchmarks of papers",
    ),
    Model(
        name="large",
        tune="video",
        purpose="as base, four times the work for a little more detail",
    ),
    Model(
        name="large",
        tune="clean",
        purpose="as base, four times the work for a little more detail",
    ),
)


def find(name: str, tune: str) -> Model:
    """Find a shipped model.

    Args:
        name: size of the network, such as "base".
        tune: kind of source, "video" or "clean".

    Raises:
        UsageError: there is no such model.
    """
    for model in SHIPPED:
        if (model.name, model.tune) == (name, tune):
            return model
    accepted = ", ".join(f"{m.name}/{m.tune}" for m in SHIPPED)
    raise UsageError(
        f"model {name!r} with tune {tune!r} does not exist; available are {accepted}, and .safetensors files"
    )


def resolve(model: str | os.PathLike[str], tune: str) -> Path:
    """Return the weights file of a shipped model, or ``model`` itself if it names a file.

    Raises:
        UsageError: there is no such model or tune.
    """
    if tune not in TUNES:
        raise UsageError(f"tune is {tune!r}; accepted are {' and '.join(TUNES)}")
    return named_file(model) or find(str(model), tune).path


def named_file(model: str | os.PathLike[str]) -> Path | None:
    """Return the file that ``model`` names, or None if it is the name of a model."""
    # "~" is expanded: vspipe runs scripts in their own folder, so that paths are often given from the home.
    path = Path(os.path.expanduser(model)) if isinstance(model, str | os.PathLike) else None  # noqa: PTH111
    return path if path is not None and path.suffix == ".safetensors" else None


def check_stages(stages: int) -> None:
    """Refuse a number of stages that no model has.

    Raises:
        UsageError: ``stages`` is not 1 or 2.
    """
    if not is_whole(stages) or stages not in (1, 2):
        raise UsageError(f"stages is {stages!r}; accepted are 1 (faster) and 2 (better)")


def check_scale(scale: int) -> None:
    """Refuse a scale that no model has.

    Raises:
        UsageError: ``scale`` is not 2, 3 or 4.
    """
    if not is_whole(scale) or scale not in SCALES:
        raise UsageError(f"scale is {scale!r}; accepted are 2, 3 and 4")

"""The work of ``vs-emtcm upscale``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vs_emtcm.command.outcome import Outcome
from vs_emtcm.command.pictures import run_pictures
from vs_emtcm.command.request import Request
from vs_emtcm.command.videos import run_video
from vs_emtcm.errors import UsageError
from vs_emtcm.pictures.kinds import SUFFIXES as PICTURE_SUFFIXES
from vs_emtcm.pictures.sequences import names_several

__all__ = ["Outcome", "Request", "run"]


def run(request: Request, tell: Callable[[str], None]) -> Outcome:
    """Upscale pictures or a video, depending on the name of the input.

    Args:
        request: the arguments of the command.
        tell: called with every warning and failure; for a video, at the first frame or at the end.

    Raises:
        UsageError: the request cannot be carried out; nothing was written.
        EmtcmError: the work failed on the way.
    """
    for name, value in (("INPUT", request.source), ("OUTPUT", request.target)):
        if not value:
            raise UsageError(f"{name} is empty; give the name of a file or a folder")
    if request.overwrite and request.skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other; give one of them")
    if names_several(request.source) or Path(request.source).suffix.lower() in PICTURE_SUFFIXES:
        return run_pictures(request, tell)
    return run_video(request, tell)

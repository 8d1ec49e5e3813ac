"""The command's work on pictures: one, a folder or a pattern of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path

from vs_emtcm.command.outcome import Outcome, nothing_to_do
from vs_emtcm.command.request import Request, make_upscaler
from vs_emtcm.command.source import check_source, unread
from vs_emtcm.errors import DamagedError, EmtcmError, UsageError
from vs_emtcm.models import named_file
from vs_emtcm.output import check_folder, check_output
from vs_emtcm.pictures import Picture, upscale_picture
from vs_emtcm.pictures.jpeg_quality import usual_tune
from vs_emtcm.pictures.kinds import LOSSY, check_quality, picture_kind
from vs_emtcm.pictures.sequences import find_pictures, name_results, names_several, unread_pictures
from vs_emtcm.progress import show_progress


def run_pictures(request: Request, tell: Callable[[str], None]) -> Outcome:
    """Upscale one picture or several; if there are several, one that fails does not stop the others.

    Args:
        request: the arguments of the command.
        tell: called with every warning and failure.

    Raises:
        UsageError: the request cannot be carried out; nothing was written.
        EmtcmError: the one picture could not be upscaled.
    """
    _refuse_video_options(request)
    several = names_several(request.source)
    pairs = _pairs(request, several=several)
    asked = len(pairs)
    if request.skip_existing:
        pairs = [(source, target) for source, target in pairs if not target.is_file()]
        if not pairs:
            return nothing_to_do(unit="picture", skipped=asked)
    folder = pairs[0][1].parent
    if folder.exists():
        for source, target in pairs:
            check_output(source, target, request.overwrite)
    upscaler_of = cache(partial(make_upscaler, request))
    # A wrong option is refused here, before anything is written.
    engine = upscaler_of(_tune_of(request, pairs[0][0])).engine
    began = time.perf_counter()
    found = _Findings(tell)
    with _made_folder(folder):
        for path in unread_pictures(request.source):
            found.note(found.warnings, "warning", unread(path))
        with show_progress(request.source, "picture", not request.show_progress) as progress:
            for number, (source, target) in enumerate(pairs, start=1):
                quality = request.quality if picture_kind(target) in LOSSY else None
                try:
                    upscaler = upscaler_of(_tune_of(request, source))
                    found.add(upscale_picture(source, target, upscaler, quality))
                except (EmtcmError, MemoryError) as error:
                    if not several:
                        raise
                    found.add_error(source, error)
                if progress is not None:
                    progress(number, len(pairs), 0)
    return Outcome(
        engine=engine.description,
        unit="picture",
        frames=found.done,
        resumed=0,
        skipped=asked - len(pairs),
        size=found.sizes.pop() if len(found.sizes) == 1 else None,
        seconds=time.perf_counter() - began,
        parts={},
        warnings=tuple(found.warnings),
        damage=tuple(found.damage),
        failures=tuple(found.failures),
    )


def _refuse_video_options(request: Request) -> None:
    for option in ("codec", "crf", "preset", "pix_fmt", "encoder_option", "assume_progressive", "lanes"):
        value = getattr(request, option)
        if value is not None and value is not False and value != ():
            raise UsageError(f"--{option.replace('_', '-')} is for videos; leave it out for pictures")
    if request.resume:
        raise UsageError(
            "--resume is for videos; for pictures, --skip-existing goes on where a run was interrupted"
        )


def _pairs(request: Request, *, several: bool) -> list[tuple[Path, Path]]:
    """Return the path of each picture and of its result; all results are in one folder.

    Raises:
        UsageError: there is no picture, or a result has no valid name.
    """
    if several:
        found = find_pictures(request.source)
        targets = name_results(found, request.target)
        sources = [path for path, _ in found]
    else:
        sources, targets = [Path(request.source)], [Path(request.target)]
        check_source(request.source)
        if targets[0].is_dir() or request.target.endswith(("/", os.sep)):
            targets = [targets[0] / sources[0].name]
    originals = {source.resolve() for source in sources}
    for target in targets:
        picture_kind(target)
        if not several:
            check_quality(request.quality, target)
        if target.resolve() in originals:
            raise UsageError(f"{target} is an input itself; give another folder or pattern for the output")
    return list(zip(sources, targets, strict=True))


class _Findings:
    """Collects the results of the pictures so far, and tells every warning and error at once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.done = 0
        self.sizes: set[tuple[int, int]] = set()
        self.warnings: list[str] = []
        self.damage: list[str] = []
        self.failures: list[str] = []

    def add(self, picture: Picture) -> None:
        """Count a picture that was written."""
        self.done += 1
        height, width = picture.pixels.shape[:2]
        self.sizes.add((width, height))
        for warning in picture.warnings:
            self.note(self.warnings, "warning", warning)

    def add_error(self, source: Path, error: Exception) -> None:
        """Note a picture that could not be upscaled."""
        if isinstance(error, MemoryError):
            message = f"{source} does not fit into the memory; a smaller --scale takes less"
        else:
            message = str(error)
        self.note(self.damage if isinstance(error, DamagedError) else self.failures, "error", message)

    def note(self, notes: list[str], kind: str, message: str) -> None:
        """Append a sentence to one of the lists, and tell it."""
        notes.append(message)
        self._tell(f"{kind}: {message}")


@contextmanager
def _made_folder(folder: Path) -> Iterator[None]:
    """Make a folder if it is missing; at the end, remove it again if it was made here and is still empty.

    Raises:
        UsageError: it cannot be made.
    """
    missing = not folder.exists()
    check_folder(folder.parent)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be made: {error.strerror}") from error
    try:
        yield
    finally:
        if missing:
            with suppress(OSError):
                folder.rmdir()


def _tune_of(request: Request, picture: Path) -> str:
    """Return the tune that was asked for, or else the one that suits the picture."""
    # A weights file states its tune itself: that of the Upscaler is not used.
    return request.tune or ("clean" if named_file(request.model) else usual_tune(picture))

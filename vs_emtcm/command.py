"""What ``vs-emtcm upscale`` does with its arguments."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from vs_emtcm.errors import DamagedError, EmtcmError, UsageError
from vs_emtcm.images import (
    LOSSY,
    UNREAD_PICTURES,
    Picture,
    check_quality,
    picture_kind,
    upscale_picture,
)
from vs_emtcm.images import SUFFIXES as PICTURE_SUFFIXES
from vs_emtcm.jpeg import usual_tune
from vs_emtcm.models import weights_file
from vs_emtcm.output import check_folder, check_output
from vs_emtcm.progress import show_progress
from vs_emtcm.sequences import find_pictures, is_pattern, left_out, name_results
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.encoder import DEFAULT_CODEC, EncoderSettings, check_encoder
from vs_emtcm.video.workfolder import folder_path
from vs_emtcm.video.writer import check_container


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments of ``vs-emtcm upscale``; see its help."""

    source: str
    target: str
    scale: int
    model: str
    tune: str | None
    stages: int
    backend: str
    device: str
    codec: str | None
    crf: float | None
    preset: str | None
    pix_fmt: str | None
    encoder_option: tuple[str, ...]
    assume_progressive: bool
    quality: int | None
    lanes: int | None
    threads: int
    tile: int | None
    overwrite: bool
    skip_existing: bool
    resume: bool
    show_progress: bool


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a request.

    Attributes:
        engine: what ran the network; None if nothing did.
        unit: "frame" or "picture".
        frames: frames or pictures written.
        resumed: how many of them were done before.
        skipped: results that were there already.
        size: (width, height), if all have the same.
        seconds: wall time.
        parts: seconds per part of the work; the parts overlap.
        warnings: what was left out or lost.
        damage: what was damaged in the source.
        failures: what could not be done.
    """

    engine: str | None
    unit: str
    frames: int
    resumed: int
    skipped: int
    size: tuple[int, int] | None
    seconds: float
    parts: dict[str, float]
    warnings: tuple[str, ...]
    damage: tuple[str, ...]
    failures: tuple[str, ...]

    def summary(self) -> str:
        """One line for people."""
        if self.engine is None:
            return f"nothing to do: there already: {self.skipped}"
        size = "" if self.size is None else f" of {self.size[0]}x{self.size[1]}"
        rate = (self.frames - self.resumed) / self.seconds if self.seconds else 0.0
        parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.parts.items())
        times = f"; {parts}" if parts else ""
        skipped = f"; {self.skipped} skipped, there already" if self.skipped else ""
        resumed = f" ({self.resumed} of them done before)" if self.resumed else ""
        frames = f"{self.frames} {self.unit}{'' if self.frames == 1 else 's'}"
        pace = f"{rate:.2f} fps" if self.unit == "frame" else f"{rate:.2f} a second"
        done = f"{frames}{size}{resumed} in {self.seconds:.1f} s, {pace}"
        return f"{done}{times}{skipped}; {self.engine}"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "engine": self.engine,
            "frames": self.frames,
            "resumed": self.resumed,
            "skipped": self.skipped,
            "width": None if self.size is None else self.size[0],
            "height": None if self.size is None else self.size[1],
            "seconds": round(self.seconds, 3),
            "fps": round((self.frames - self.resumed) / self.seconds, 3) if self.seconds else None,
            "parts": {name: round(seconds, 3) for name, seconds in self.parts.items()},
            "warnings": list(self.warnings),
            "damage": list(self.damage),
            "failures": list(self.failures),
        }


def run(request: Request, tell: Callable[[str], None]) -> Outcome:
    """Upscale what was asked for; the kind of the work follows from the input's name.

    Args:
        request: what was asked for.
        tell: called with every warning and failure; of a video, at the first frame or at the end.

    Raises:
        UsageError: the request cannot be carried out; nothing was written.
        EmtcmError: the work failed on the way.
    """
    for name, value in (("INPUT", request.source), ("OUTPUT", request.target)):
        if not value:
            raise UsageError(f"{name} is empty; give the name of a file or a folder")
    if request.overwrite and request.skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other; give one of them")
    several = Path(request.source).is_dir() or is_pattern(request.source)
    if several or Path(request.source).suffix.lower() in PICTURE_SUFFIXES:
        return _run_pictures(request, several, tell)
    return _run_video(request, tell)


def _make_upscaler(request: Request, tune: str) -> Upscaler:
    import torch

    if request.threads:
        # The process is the command's own; the library never changes torch's settings.
        torch.set_num_threads(request.threads)
    return Upscaler(
        request.scale,
        model=request.model,
        tune=tune,
        stages=request.stages,
        backend=request.backend,
        device=request.device,
        tile=request.tile,
    )


def _tune_of(request: Request, picture: Path) -> str:
    # A weights file has its own.
    return request.tune or ("clean" if weights_file(request.model) else usual_tune(picture))


def _check_source(given: str) -> None:
    path, accepted = Path(given), "give a video, a picture, a folder of pictures or a pattern of pictures"
    if "://" in given:
        raise UsageError(f"{given} is an address; download it first")
    if str(path) == "-" or path.is_fifo() or path.is_char_device():
        raise UsageError(f"{path} is a pipe; {accepted}")
    if not path.exists():
        raise UsageError(f"{path} does not exist; {accepted}")
    if not path.is_file():
        raise UsageError(f"{path} is not a file; {accepted}")
    if not path.stat().st_size:
        raise UsageError(f"{path} is empty; {accepted}")


def _unread(picture: Path) -> str:
    return f"{picture} is a kind of picture that is not read; convert it to PNG first"


def _run_video(request: Request, tell: Callable[[str], None]) -> Outcome:
    source, target = Path(request.source), Path(request.target)
    _check_source(request.source)
    if request.quality is not None:
        raise UsageError("--quality is for pictures; of videos --crf is the quality")
    # SVT-AV1 writes to the terminal by itself.
    os.environ.setdefault("SVT_LOG", "1")
    into_folder = target.is_dir()
    if into_folder:
        target = target / source.name
    elif request.target.endswith(("/", os.sep)):
        check_folder(target)
    named_picture = target.suffix.lower() in PICTURE_SUFFIXES
    if source.suffix.lower() in UNREAD_PICTURES and (into_folder or named_picture):
        raise UsageError(_unread(source))
    if named_picture:
        raise UsageError(
            f"{source} is taken for a video; {target} must name a video file, such as a .mkv or .mp4 "
            f"(pictures are {', '.join(PICTURE_SUFFIXES)})"
        )
    if request.skip_existing and target.is_file() and not target.samefile(source):
        return _nothing_to_do(skipped=1)
    check_output(source, target, request.overwrite)
    encoder = EncoderSettings(
        codec=DEFAULT_CODEC if request.codec is None else request.codec,
        crf=request.crf,
        preset=request.preset,
        pix_fmt=request.pix_fmt,
        options=_encoder_options(request.encoder_option),
        threads=request.threads,
    )
    check_encoder(encoder)
    check_container(target, encoder.codec)
    upscaler = _make_upscaler(request, request.tune or "video")
    settings = VideoSettings(
        encoder=encoder,
        threads=request.threads,
        resume=request.resume,
        assume_progressive=request.assume_progressive,
        lanes=request.lanes,
    )

    def warn(warning: str) -> None:
        tell(f"warning: {warning}")

    left = folder_path(target)
    if left.exists() and not request.resume:
        warn(f"{left} holds what an earlier run has done; --resume goes on with it, otherwise delete it")
    with show_progress(source.name, "frame", not request.show_progress) as progress:
        report = upscale_video(source, target, upscaler, settings, progress, warn)
    damage = tuple(f"{source} is damaged: {found}" for found in report.damage)
    for found in damage:
        tell(f"warning: {found}")
    return Outcome(
        engine=upscaler.engine.description,
        unit="frame",
        frames=report.frames,
        resumed=report.resumed,
        skipped=0,
        size=report.size,
        seconds=report.seconds,
        parts={"decode": report.decode, "network": report.network, "encode": report.encode},
        warnings=report.warnings,
        damage=damage,
        failures=(),
    )


def _encoder_options(given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    options = []
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--encoder-option is {text!r}; give NAME=VALUE, such as tune=film")
        options.append((name, value))
    return tuple(options)


def _nothing_to_do(*, skipped: int) -> Outcome:
    return Outcome(
        engine=None,
        unit="frame",
        frames=0,
        resumed=0,
        skipped=skipped,
        size=None,
        seconds=0.0,
        parts={},
        warnings=(),
        damage=(),
        failures=(),
    )


def _run_pictures(request: Request, several: bool, tell: Callable[[str], None]) -> Outcome:
    _refuse_video_options(request)
    pairs = _pairs(request, several)
    asked = len(pairs)
    if request.skip_existing:
        pairs = [(source, target) for source, target in pairs if not target.is_file()]
        if not pairs:
            return _nothing_to_do(skipped=asked)
    folder = pairs[0][1].parent
    if folder.exists():
        for source, target in pairs:
            check_output(source, target, request.overwrite)
    upscaler_of = cache(partial(_make_upscaler, request))
    # What is wrong with the request shows before anything is written.
    engine = upscaler_of(_tune_of(request, pairs[0][0])).engine
    began = time.perf_counter()
    found = _Findings(tell)
    with _made_folder(folder):
        for path in left_out(request.source):
            found.note(found.warnings, "warning", _unread(path))
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
                    progress(number, len(pairs))
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


def _pairs(request: Request, several: bool) -> list[tuple[Path, Path]]:
    """Each picture and its result; all results are in one folder."""
    if several:
        found = find_pictures(request.source)
        targets = name_results(found, request.target)
        sources = [path for path, _ in found]
    else:
        sources, targets = [Path(request.source)], [Path(request.target)]
        _check_source(request.source)
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
    """What became of the pictures so far; whatever is worth a sentence is told at once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.done = 0
        self.sizes: set[tuple[int, int]] = set()
        self.warnings: list[str] = []
        self.damage: list[str] = []
        self.failures: list[str] = []

    def add(self, picture: Picture) -> None:
        """One that is written."""
        self.done += 1
        height, width = picture.pixels.shape[:2]
        self.sizes.add((width, height))
        for warning in picture.warnings:
            self.note(self.warnings, "warning", warning)

    def add_error(self, source: Path, error: Exception) -> None:
        """One that is not."""
        if isinstance(error, MemoryError):
            message = f"{source} does not fit into the memory; a smaller --scale takes less"
        else:
            message = str(error)
        self.note(self.damage if isinstance(error, DamagedError) else self.failures, "error", message)

    def note(self, notes: list[str], kind: str, message: str) -> None:
        """Keep a sentence, and tell it."""
        notes.append(message)
        self._tell(f"{kind}: {message}")


@contextmanager
def _made_folder(folder: Path) -> Iterator[None]:
    """Make the folder if it is not there; if nothing came into it, it goes again, whatever happened."""
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

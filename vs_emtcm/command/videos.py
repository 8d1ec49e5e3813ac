"""The command's work on a video."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from vs_emtcm.command.outcome import Outcome, nothing_to_do
from vs_emtcm.command.request import Request, make_upscaler
from vs_emtcm.command.source import check_source, unread
from vs_emtcm.errors import UsageError
from vs_emtcm.output import check_folder, check_output
from vs_emtcm.pictures.kinds import SUFFIXES as PICTURE_SUFFIXES
from vs_emtcm.pictures.kinds import UNREAD_SUFFIXES
from vs_emtcm.progress import show_progress
from vs_emtcm.video import VideoSettings, upscale_video
from vs_emtcm.video.containers import check_container
from vs_emtcm.video.encoder import DEFAULT_CODEC, EncoderSettings, check_encoder
from vs_emtcm.video.workfolder import folder_path


def run_video(request: Request, tell: Callable[[str], None]) -> Outcome:
    """Upscale a video.

    Args:
        request: the arguments of the command.
        tell: called with every warning, at the first frame or at the end.

    Raises:
        UsageError: the request cannot be carried out; nothing was written.
        EmtcmError: the work failed on the way.
    """
    # Keeps SVT-AV1 from writing to the terminal: 1 is "errors only".
    os.environ.setdefault("SVT_LOG", "1")
    check_source(request.source)
    if request.quality is not None:
        raise UsageError("--quality is for pictures; of videos --crf is the quality")
    source, target = Path(request.source), _target(request)
    if request.skip_existing and target.is_file() and not target.samefile(source):
        return nothing_to_do(unit="frame", skipped=1)
    check_output(source, target, request.overwrite)
    settings = _settings(request)
    check_encoder(settings.encoder)
    check_container(target, settings.encoder.codec)
    upscaler = make_upscaler(request, request.tune or "video")

    def warn(warning: str) -> None:
        tell(f"warning: {warning}")

    left = folder_path(target)
    if left.exists() and not request.resume:
        warn(f"{left} holds what an earlier run has done; --resume goes on with it, otherwise delete it")
    with show_progress(source.name, "frame", not request.show_progress) as progress:
        report = upscale_video(source, target, upscaler, settings, progress, warn)
    damage = tuple(f"{source} is damaged: {found}" for found in report.damage)
    for found in damage:
        warn(found)
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


def _target(request: Request) -> Path:
    """Return the file that is written: OUTPUT, or a file of the source's name in OUTPUT if it is a folder.

    Raises:
        UsageError: the folder does not exist, or the file is named as a picture.
    """
    source, target = Path(request.source), Path(request.target)
    into_folder = target.is_dir()
    if into_folder:
        target = target / source.name
    elif request.target.endswith(("/", os.sep)):
        check_folder(target)
    named_picture = target.suffix.lower() in PICTURE_SUFFIXES
    if source.suffix.lower() in UNREAD_SUFFIXES and (into_folder or named_picture):
        raise UsageError(unread(source))
    if named_picture:
        raise UsageError(
            f"{source} is taken for a video; {target} must name a video file, such as a .mkv or .mp4 "
            f"(pictures are {', '.join(PICTURE_SUFFIXES)})"
        )
    return target


def _settings(request: Request) -> VideoSettings:
    encoder = EncoderSettings(
        codec=DEFAULT_CODEC if request.codec is None else request.codec,
        crf=request.crf,
        preset=request.preset,
        pix_fmt=request.pix_fmt,
        options=_encoder_options(request.encoder_option),
        threads=request.threads,
    )
    return VideoSettings(
        encoder=encoder,
        threads=request.threads,
        resume=request.resume,
        assume_progressive=request.assume_progressive,
        lanes=request.lanes,
    )


def _encoder_options(given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Split texts "NAME=VALUE".

    Raises:
        UsageError: one has another form.
    """
    options = []
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--encoder-option is {text!r}; give NAME=VALUE, such as tune=film")
        options.append((name, value))
    return tuple(options)

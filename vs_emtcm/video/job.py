"""The job between reader and writer: decode, upscale and encode at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.packet import Packet
from av.stream import Stream

from vs_emtcm.errors import EmtcmError
from vs_emtcm.lanes import make_lanes
from vs_emtcm.output import complete_file
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.video.background import run_ahead
from vs_emtcm.video.encoder import EncoderSettings, check_encoder, choose_pix_fmt, find_encoder
from vs_emtcm.video.frame_upscaler import FrameUpscaler
from vs_emtcm.video.frames import computed_bits, nearest_native
from vs_emtcm.video.in_order import in_order
from vs_emtcm.video.reader import VideoReader
from vs_emtcm.video.resume import ResumableWriter, describe
from vs_emtcm.video.workfolder import WorkFolder, work_folder
from vs_emtcm.video.writer import VideoWriter

if TYPE_CHECKING:
    from vs_emtcm.progress import Report

# Frames that wait between two steps: enough to even out their pace, little enough memory.
DEPTH = 4


@dataclass(frozen=True, kw_only=True)
class VideoSettings:
    """How a video is read and written.

    Attributes:
        encoder: how the result is encoded.
        threads: decoder threads; 0 lets FFmpeg choose.
        resume: keep what is done in a hidden folder beside the result, and go on from there.
        assume_progressive: take frames that are flagged as interlaced for progressive.
        lanes: frames worked on at once; None chooses.
    """

    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    threads: int = 0
    resume: bool = False
    assume_progressive: bool = False
    lanes: int | None = None


@dataclass(frozen=True, kw_only=True)
class VideoReport:
    """What was done.

    Attributes:
        frames: how many were written.
        resumed: how many of them were done before.
        size: (width, height) of the result.
        seconds: wall time; decode, network and encode overlap, so their sum may be larger.
        decode, network, encode: seconds spent in each, by all of its lanes.
        damage: what was damaged in the source.
        warnings: what was corrected or left out.
    """

    frames: int
    resumed: int
    size: tuple[int, int]
    seconds: float
    decode: float
    network: float
    encode: float
    damage: tuple[str, ...]
    warnings: tuple[str, ...]


type Item = av.VideoFrame | Packet[Stream]


def upscale_video(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    settings: VideoSettings,
    progress: Report | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> VideoReport:
    """Upscale a video file.

    Audio, subtitles, attachments, chapters and tags are copied; timestamps and colour tags are kept.

    Args:
        source: the video.
        target: the result; appears only when complete.
        upscaler: what upscales its frames.
        settings: how it is read and written.
        progress: called after each frame with the frames done and the total, if known, and with how many
            of those were done before, if any were.
        warn: called with each of the report's warnings: with the first frame if it is known then, as what the
            result cannot hold is, otherwise at the end.

    Raises:
        UsageError: the source, the target or the settings cannot be used.
        EmtcmError: the work failed on the way.
    """
    began = time.perf_counter()
    check_encoder(settings.encoder)
    reader = VideoReader(source, settings.threads, assume_progressive=settings.assume_progressive)
    frames = resumed = 0
    told: list[str] = []

    def tell(warning: str) -> None:
        if warning not in told:
            told.append(warning)
            warn(warning)

    with closing(reader), _place(source, target, upscaler, settings) as (temporary, folder):
        # A source that no native format holds is refused before any work is done.
        nearest_native(reader.video.format.name)
        bits = _encoded_bits(reader, upscaler.scale, settings.encoder)
        lanes = [FrameUpscaler(each, bits) for each in make_lanes(upscaler, settings.lanes, reader.frames)]

        def held(frame: int) -> bool:
            return folder is not None and folder.held(frame)

        def tasks(items: Iterator[Item]) -> Iterator[tuple[Item, bool]]:
            """The items, and whether each is to be upscaled."""
            number = 0
            for item in items:
                is_frame = isinstance(item, av.VideoFrame)
                # The first says how frames are written.
                yield item, is_frame and not (number and held(number))
                number += is_frame

        decoded = run_ahead(reader.items(), DEPTH)
        upscaled = in_order(tasks(decoded), [partial(_upscaled, lane) for lane in lanes])
        with closing(decoded), closing(run_ahead(upscaled, DEPTH)) as ready:
            waiting, first = until_first_frame(ready)
            if first is None:
                raise EmtcmError(_no_frames(source, reader))
            writer: VideoWriter | ResumableWriter
            if folder is None:
                writer = VideoWriter(temporary, reader, first, settings.encoder)
            else:
                writer = ResumableWriter(temporary, folder, reader, first, settings.encoder)
            try:
                for warning in (*reader.lost, *writer.warnings):
                    tell(warning)
                for item in chain(waiting, [first], ready):
                    writer.write(item)
                    if isinstance(item, av.VideoFrame):
                        resumed += held(frames)
                        frames += 1
                        if progress is not None:
                            progress(frames, reader.frames, *([resumed] if resumed else []))
                writer.finish()
            except BaseException:
                writer.abandon()
                raise
    for warning in (*reader.lost, *reader.warnings):
        tell(warning)
    return VideoReport(
        frames=frames,
        resumed=resumed,
        size=(first.width, first.height),
        seconds=time.perf_counter() - began,
        decode=reader.seconds,
        network=sum(lane.seconds for lane in lanes),
        encode=writer.seconds,
        damage=tuple(reader.damage),
        warnings=tuple(told),
    )


@contextmanager
def _place(
    source: Path, target: Path, upscaler: Upscaler, settings: VideoSettings
) -> Iterator[tuple[Path, WorkFolder | None]]:
    """Where the target is until it is complete, and what keeps its parts, if anything does."""
    if not settings.resume:
        with complete_file(target) as temporary:
            yield temporary, None
        return
    with (
        work_folder(target, describe(source, upscaler, settings.encoder)) as folder,
        complete_file(target, folder.path) as temporary,
    ):
        yield temporary, folder


def _upscaled(lane: FrameUpscaler, item: Item) -> Item:
    assert isinstance(item, av.VideoFrame)
    return lane(item)


def _encoded_bits(reader: VideoReader, scale: int, settings: EncoderSettings) -> int:
    """Of the samples that the encoder gets; what they hold is best made with as many."""
    name = settings.pix_fmt
    if name is None:
        source, context = reader.video.format, reader.video.codec_context
        size = scale * context.width, scale * context.height
        name = choose_pix_fmt(find_encoder(settings.codec), source.name, *size)
    return computed_bits(name)


def until_first_frame(items: Iterator[Item]) -> tuple[list[Item], av.VideoFrame | None]:
    """The packets before the first frame, and the frame."""
    waiting: list[Item] = []
    for item in items:
        if isinstance(item, av.VideoFrame):
            return waiting, item
        waiting.append(item)
    return waiting, None


def _no_frames(source: Path, reader: VideoReader) -> str:
    found = f": {reader.damage[0]}" if reader.damage else ""
    return f"{source} holds no frame that can be decoded{found}"

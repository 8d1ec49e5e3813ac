"""Upscaling of a video file: decoding, upscaling and encoding at the same time."""

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

from vs_emtcm.errors import EmtcmError
from vs_emtcm.lanes import make_lanes
from vs_emtcm.output import complete_file
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.video.background import run_ahead
from vs_emtcm.video.encoder import EncoderSettings, check_encoder, find_encoder
from vs_emtcm.video.frame_upscaler import FrameUpscaler
from vs_emtcm.video.frame_writer import FrameWriter
from vs_emtcm.video.frames import computed_bits
from vs_emtcm.video.native_frame import check_convertible
from vs_emtcm.video.parallel import map_in_order
from vs_emtcm.video.pix_fmts import choose_pix_fmt
from vs_emtcm.video.reader import Item, VideoReader
from vs_emtcm.video.record import describe
from vs_emtcm.video.resume import ResumableWriter
from vs_emtcm.video.workfolder import WorkFolder, work_folder
from vs_emtcm.video.writer import VideoWriter

if TYPE_CHECKING:
    from vs_emtcm.progress import Report

# Frames and packets at most that wait between two steps: enough to even out their pace, in little memory.
DEPTH = 4


@dataclass(frozen=True, kw_only=True)
class VideoSettings:
    """How a video is read and written.

    Attributes:
        encoder: how the result is encoded.
        threads: decoder threads; 0 lets FFmpeg choose.
        resume: keep finished parts in a hidden folder beside the result, and go on from an earlier run's.
        assume_progressive: take frames that are flagged as interlaced for progressive.
        lanes: the number of frames upscaled at the same time; None chooses it by the device.
    """

    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    threads: int = 0
    resume: bool = False
    assume_progressive: bool = False
    lanes: int | None = None


@dataclass(frozen=True, kw_only=True)
class VideoReport:
    """What upscaling a video did.

    Attributes:
        frames: the number of frames written.
        resumed: the number of them that were done before this run.
        size: (width, height) of the result.
        seconds: wall time; decode, network and encode overlap, so their sum may be larger.
        decode, network, encode: seconds spent in each; for the network, the sum of all lanes.
        damage: the damage found in the source, one clause each.
        warnings: what was corrected or left out, one sentence each.
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
        upscaler: upscales the frames.
        settings: how the video is read and written.
        progress: called after each frame with the number of frames done, the total or None, and how many of
            the frames done were done before this run.
        warn: called with each of the report's warnings: with the first frame if it is known then, as what the
            result cannot hold is, otherwise at the end.

    Raises:
        UsageError: the source, the target or the settings cannot be used.
        EmtcmError: the work failed on the way.
    """
    began = time.perf_counter()
    check_encoder(settings.encoder)
    reader = VideoReader(source, settings.threads, assume_progressive=settings.assume_progressive)
    warnings = _Warnings(warn)
    with closing(reader), _output(source, target, upscaler, settings) as (path, folder):
        lanes = _make_lanes(upscaler, reader, settings)
        with _upscaled_items(reader, lanes, folder) as items:
            packets, first = _until_first_frame(items)
            if first is None:
                raise EmtcmError(_no_frames(source, reader))
            with _open_writer(path, folder, reader, first, settings.encoder) as writer:
                warnings.add(*reader.lost, *reader.warnings, *writer.warnings)
                for item in chain(packets, [first], items):
                    writer.write(item)
                    if progress is not None and isinstance(item, av.VideoFrame):
                        progress(writer.frames, reader.frames, writer.resumed)
                writer.finish()
    warnings.add(*reader.lost, *reader.warnings)
    return VideoReport(
        frames=writer.frames,
        resumed=writer.resumed,
        size=(first.width, first.height),
        seconds=time.perf_counter() - began,
        decode=reader.seconds,
        network=sum(lane.seconds for lane in lanes),
        encode=writer.seconds,
        damage=tuple(reader.damage),
        warnings=tuple(warnings.told),
    )


class _Warnings:
    """Tells every warning once, and keeps it."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self.told: list[str] = []

    def add(self, *warnings: str) -> None:
        for warning in warnings:
            if warning not in self.told:
                self.told.append(warning)
                self._warn(warning)


@contextmanager
def _output(
    source: Path, target: Path, upscaler: Upscaler, settings: VideoSettings
) -> Iterator[tuple[Path, WorkFolder | None]]:
    """Yield where the result is written until it is complete, and the folder for its segments, or None."""
    if not settings.resume:
        with complete_file(target) as path:
            yield path, None
        return
    with (
        work_folder(target, describe(source, upscaler, settings.encoder)) as folder,
        complete_file(target, folder.path) as path,
    ):
        yield path, folder


def _make_lanes(upscaler: Upscaler, reader: VideoReader, settings: VideoSettings) -> list[FrameUpscaler]:
    """Return one upscaler of frames for each lane.

    Raises:
        UsageError: no native format holds the frames of the source, or there cannot be so many lanes.
    """
    check_convertible(reader.video.format.name)
    bits = _encoded_bits(reader, upscaler.scale, settings.encoder)
    return [FrameUpscaler(each, bits) for each in make_lanes(upscaler, settings.lanes, reader.frames)]


def _encoded_bits(reader: VideoReader, scale: int, settings: EncoderSettings) -> int:
    """Return the bits per sample of the frames that the encoder gets, with which they are best computed."""
    name = settings.pix_fmt
    if name is None:
        source, context = reader.video.format, reader.video.codec_context
        size = scale * context.width, scale * context.height
        name = choose_pix_fmt(find_encoder(settings.codec), source.name, *size)
    return computed_bits(name)


@contextmanager
def _upscaled_items(
    reader: VideoReader, lanes: list[FrameUpscaler], folder: WorkFolder | None
) -> Iterator[Iterator[Item]]:
    """Yield an iterator over the source with its frames upscaled; decoding and upscaling run ahead."""
    with closing(run_ahead(reader.items(), DEPTH)) as decoded:
        workers = [partial(_upscale_item, lane) for lane in lanes]
        upscaled = map_in_order(_tasks(decoded, folder), workers)
        with closing(run_ahead(upscaled, DEPTH)) as items:
            yield items


def _tasks(items: Iterator[Item], folder: WorkFolder | None) -> Iterator[tuple[Item, bool]]:
    """Yield every item, and whether it is to be upscaled: a frame that is in no finished segment is."""
    frames = 0
    for item in items:
        if not isinstance(item, av.VideoFrame):
            yield item, False
            continue
        # The writer learns size and pixel format from the first frame, even if that was done before.
        done = frames > 0 and folder is not None and folder.was_done(frames)
        yield item, not done
        frames += 1


def _upscale_item(lane: FrameUpscaler, item: Item) -> Item:
    assert isinstance(item, av.VideoFrame)
    return lane(item)


@contextmanager
def _open_writer(
    path: Path,
    folder: WorkFolder | None,
    reader: VideoReader,
    first: av.VideoFrame,
    settings: EncoderSettings,
) -> Iterator[FrameWriter]:
    """Yield a writer of the result, with a folder one that keeps segments there; a failure abandons it."""
    writer: FrameWriter
    if folder is None:
        writer = VideoWriter(path, reader, first, settings)
    else:
        writer = ResumableWriter(path, folder, reader, first, settings)
    try:
        yield writer
    except BaseException:
        writer.abandon()
        raise


def _until_first_frame(items: Iterator[Item]) -> tuple[list[Item], av.VideoFrame | None]:
    """Return the packets before the first frame, and that frame, or None if there is none."""
    packets: list[Item] = []
    for item in items:
        if isinstance(item, av.VideoFrame):
            return packets, item
        packets.append(item)
    return packets, None


def _no_frames(source: Path, reader: VideoReader) -> str:
    found = f": {reader.damage[0]}" if reader.damage else ""
    return f"{source} holds no frame that can be decoded{found}"

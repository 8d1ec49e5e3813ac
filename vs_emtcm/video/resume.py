"""Writes a video in parts that outlive an interruption, and joins them at the end."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import chain, takewhile
from operator import itemgetter
from pathlib import Path

import av
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from vs_emtcm import __version__
from vs_emtcm.errors import EmtcmError, UsageError, WritingError, reason
from vs_emtcm.upscaler import Upscaler
from vs_emtcm.video.decoding import decoding_times
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.quality import DEFAULT_CRF
from vs_emtcm.video.reader import VideoReader
from vs_emtcm.video.segment import Segment, SegmentFile, read_packets
from vs_emtcm.video.timeline import as_fraction
from vs_emtcm.video.track import VideoTrack
from vs_emtcm.video.workfolder import Record, WorkFolder
from vs_emtcm.video.writer import VideoWriter, open_container


def describe(source: Path, upscaler: Upscaler, settings: EncoderSettings) -> Record:
    """Everything that finished parts depend on.

    Threads and tiles are no part of it: whoever ran out of memory goes on with fewer or smaller ones, as far
    as the encoder does not mind.
    """
    found = source.stat()
    return {
        "vs-emtcm": __version__,
        "PyAV": av.__version__,
        "the size of the input": found.st_size,
        "the date of the input": datetime.fromtimestamp(found.st_mtime, UTC).isoformat(),
        **upscaler.provenance,
        "codec": settings.codec,
        "crf": DEFAULT_CRF if settings.crf is None else settings.crf,
        "preset": settings.preset,
        "pixel format": settings.pix_fmt,
        "encoder options": " ".join(f"{name}={value}" for name, value in settings.options) or None,
    }


class ResumableWriter:
    """What :class:`vs_emtcm.video.writer.VideoWriter` is, with the frames in segments until the end.

    Args:
        path: where to.
        folder: keeps the segments; frames that it held before need not be upscaled.
        reader, first, settings: see :class:`vs_emtcm.video.writer.VideoWriter`.

    Raises:
        UsageError: as of a VideoWriter, or the encoder's header is not that of the finished segments.

    Attributes:
        warnings: what could not be copied, one sentence each.
        seconds: time spent encoding and writing so far.
    """

    def __init__(
        self,
        path: Path,
        folder: WorkFolder,
        reader: VideoReader,
        first: av.VideoFrame,
        settings: EncoderSettings,
    ) -> None:
        self.seconds = 0.0
        self._path, self._folder = path, folder
        self._reader, self._first, self._settings = reader, first, settings
        # What cannot be written shows before any work is done.
        trial = VideoWriter(path, reader, first, settings)
        trial.abandon()
        self.warnings = trial.warnings
        self._conversion, self._times = trial.track.conversion, trial.track.times
        self._extradata = _extradata(trial.track)
        for segment in folder.segments.values():
            if segment.extradata != self._extradata:
                raise UsageError(
                    f"{settings.codec} does not begin as it did before, which other --threads can do; repeat "
                    f"the command as it was, or delete the folder {folder.path} to begin again"
                )
        self._encoder: SegmentEncoder | None = None
        self._frames = 0
        self._last_pts = 0

    def write(self, item: av.VideoFrame | Packet[Stream]) -> None:
        """Encode a frame, unless it was done before; other streams are copied at the end.

        Raises:
            WritingError: encoding or writing failed.
        """
        if not isinstance(item, av.VideoFrame):
            return
        with self._writing():
            held = self._folder.held(self._frames)
            frame = self._times(item if held else self._conversion(item))
            assert frame.pts is not None
            self._last_pts = frame.pts
            self._frames += 1
            if not held:
                if self._encoder is None:
                    self._encoder = self._begin_segment()
                self._encoder.write(frame)
            if self._frames % self._folder.segment_frames == 0:
                self._end_segment()

    def finish(self) -> None:
        """Encode what is left and make the file of all segments and the source's other streams.

        Raises:
            WritingError: encoding or writing failed.
            EmtcmError: the source did not give the same frames again.
        """
        with self._writing():
            if self._frames % self._folder.segment_frames:
                self._end_segment()
            beyond = -(-self._frames // self._folder.segment_frames)
            if any(number >= beyond for number in self._folder.segments):
                self._refuse(beyond)
            self._join()

    def abandon(self) -> None:
        """Leave the segments that are finished, after a failure."""
        if self._encoder is not None:
            self._encoder.abandon()

    def _begin_segment(self) -> SegmentEncoder:
        path = self._folder.segment_path(self._segment_number)
        encoder = SegmentEncoder(path, self._path, self._reader, self._first, self._settings)
        if encoder.extradata != self._extradata:
            encoder.abandon()
            raise UsageError(
                f"{self._settings.codec} begins every part with another header; leave --resume out, "
                "or choose another codec"
            )
        return encoder

    def _end_segment(self) -> None:
        number = self._segment_number
        frames = self._frames - number * self._folder.segment_frames
        if self._encoder is not None:
            self._folder.add(number, self._encoder.finish(frames, self._last_pts))
            self._encoder = None
            return
        segment = self._folder.segments[number]
        if (segment.frames, segment.last_pts) != (frames, self._last_pts):
            self._refuse(number)

    @property
    def _segment_number(self) -> int:
        """That of the last frame's segment."""
        return (self._frames - 1) // self._folder.segment_frames

    def _refuse(self, number: int) -> None:
        self._folder.drop_from(number)
        raise EmtcmError(
            f"{self._reader.path} did not give the same frames as before around frame {self._frames}; "
            "the same command makes them again"
        )

    def _join(self) -> None:
        writer = VideoWriter(self._path, self._reader, self._first, self._settings)
        segments = [self._folder.segments[n] for n in sorted(self._folder.segments)]
        try:
            with closing(self._reader.again()) as reader:
                video = ((_seconds(p), writer.write_encoded, p) for p in _all_packets(segments))
                others = ((_seconds(p), writer.write, p) for p in reader.others())
                for _, write, packet in heapq.merge(video, others, key=itemgetter(0)):
                    write(packet)
            writer.complete()
        except BaseException:
            writer.abandon()
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Time what is done, and tell what fails and where the same command goes on."""
        began = time.perf_counter()
        try:
            yield
        except (FFmpegError, OSError, ValueError, WritingError) as error:
            failed = str(error) if isinstance(error, WritingError) else f"writing failed: {reason(error)}"
            frame = self._folder.next_frame
            after = f"; the same command goes on from frame {frame}" if frame else ""
            raise WritingError(f"{failed}{after}") from error
        self.seconds += time.perf_counter() - began


class SegmentEncoder:
    """An encoder of its own for one segment.

    Args:
        path: the segment's file.
        target: the video that is being made; its container decides about some of the encoder's options.
        reader, first, settings: see :class:`vs_emtcm.video.writer.VideoWriter`.

    Attributes:
        extradata: the encoder's header.
    """

    def __init__(
        self,
        path: Path,
        target: Path,
        reader: VideoReader,
        first: av.VideoFrame,
        settings: EncoderSettings,
    ) -> None:
        # Never begun, and so no file.
        self._container = open_container(target)
        self._track = VideoTrack(self._container, target.suffix, reader, first, settings)
        self._track.add()
        context = self._track.stream.codec_context
        context.open()
        self.extradata = _extradata(self._track)
        time_base = as_fraction(context.time_base)
        assert time_base is not None
        self._file = SegmentFile(path, time_base, self.extradata)

    def write(self, frame: av.VideoFrame) -> None:
        """Encode a frame that is prepared."""
        for packet in self._track.encode(frame):
            self._file.write(packet)

    def finish(self, frames: int, last_pts: int) -> Segment:
        """Encode what is left and complete the file."""
        for packet in self._track.encode(None):
            self._file.write(packet)
        self._container.close()
        return self._file.finish(frames, last_pts)

    def abandon(self) -> None:
        """Remove the file as it is, after a failure."""
        self._container.close()
        self._file.abandon()


def _extradata(track: VideoTrack) -> bytes:
    return track.stream.codec_context.extradata or b""


def _all_packets(segments: list[Segment]) -> Iterator[Packet[Stream]]:
    shown = [pts for segment in segments for pts in segment.shown]
    first = min(shown)
    times = (first if packet.dts is None else packet.dts for packet in read_packets(segments[0]))
    lead = list(takewhile(lambda dts: dts < first, times))
    packets = chain.from_iterable(map(read_packets, segments))
    for packet, dts in zip(packets, decoding_times(shown, lead), strict=True):
        packet.dts = dts
        yield packet


def _seconds(packet: Packet[Stream]) -> float:
    """When a packet is decoded; before all others if it does not say."""
    base = as_fraction(packet.time_base)
    return float("-inf") if packet.dts is None or base is None else float(packet.dts * base)

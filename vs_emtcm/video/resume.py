"""Writer of a video in segments that outlive an interruption, and are joined at the end."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain, takewhile
from operator import itemgetter
from pathlib import Path
from typing import NoReturn

import av
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from vs_emtcm.errors import EmtcmError, UsageError, WritingError, reason
from vs_emtcm.video.decoding_times import decoding_times
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.rational import as_fraction
from vs_emtcm.video.reader import Item, VideoReader
from vs_emtcm.video.segment import Segment, read_packets
from vs_emtcm.video.segment_encoder import SegmentEncoder
from vs_emtcm.video.workfolder import WorkFolder
from vs_emtcm.video.writer import VideoWriter


class ResumableWriter:
    """A video file that is being written, whose frames are kept in segments until the end.

    Args:
        path: the file; the container follows from the suffix.
        folder: keeps the segments; frames that it held before this run need not be upscaled.
        reader, first, settings: see :class:`vs_emtcm.video.writer.VideoWriter`.

    Raises:
        UsageError: as for :class:`vs_emtcm.video.writer.VideoWriter`, or the encoder's header is not that of
            the finished segments.

    Attributes:
        warnings: what could not be copied, one sentence each.
        frames: the number of frames written so far.
        resumed: the number of them that were done before.
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
        self.frames = self.resumed = 0
        self.seconds = 0.0
        self._path, self._folder = path, folder
        self._reader, self._first, self._settings = reader, first, settings
        # A target that cannot be written is refused before any work is done.
        trial = VideoWriter(path, reader, first, settings)
        trial.abandon()
        self.warnings = trial.warnings
        self._conversion, self._times = trial.conversion, trial.track.times
        self._extradata = trial.track.extradata
        for segment in folder.segments.values():
            if segment.extradata != self._extradata:
                raise UsageError(
                    f"{settings.codec} does not begin as it did before, which other --threads can do; repeat "
                    f"the command as it was, or delete the folder {folder.path} to begin again"
                )
        self._encoder: SegmentEncoder | None = None
        self._last_pts = 0

    def write(self, item: Item) -> None:
        """Encode a frame, unless it was done before; packets of other streams are copied at the end.

        Raises:
            WritingError: encoding or writing failed.
            EmtcmError: the source did not give the same frames as before.
        """
        if not isinstance(item, av.VideoFrame):
            return
        with self._writing():
            done = self._folder.was_done(self.frames)
            # Of a frame that was done before, only the time counts: it may not be upscaled.
            frame = self._times(item if done else self._conversion(item))
            assert frame.pts is not None
            self._last_pts = frame.pts
            self.frames += 1
            self.resumed += done
            if not done:
                if self._encoder is None:
                    self._encoder = self._begin_segment()
                self._encoder.write(frame)
            if self.frames % self._folder.segment_frames == 0:
                self._end_segment()

    def finish(self) -> None:
        """Encode what is left, and write the file from all segments and the source's other streams.

        Raises:
            WritingError: encoding or writing failed.
            EmtcmError: the source did not give the same frames as before.
        """
        with self._writing():
            if self.frames % self._folder.segment_frames:
                self._end_segment()
            beyond = -(-self.frames // self._folder.segment_frames)
            if any(number >= beyond for number in self._folder.segments):
                self._refuse(beyond)
            self._join()

    def abandon(self) -> None:
        """Stop after a failure; finished segments are kept."""
        if self._encoder is not None:
            self._encoder.abandon()

    def _begin_segment(self) -> SegmentEncoder:
        path = self._folder.segment_path(self._segment_number)
        encoder = SegmentEncoder(
            path, self._path, self._reader, self._first, self._settings, self._conversion
        )
        if encoder.extradata != self._extradata:
            encoder.abandon()
            raise UsageError(
                f"{self._settings.codec} begins every part with another header; leave --resume out, "
                "or choose another codec"
            )
        return encoder

    def _end_segment(self) -> None:
        number = self._segment_number
        frames = self.frames - number * self._folder.segment_frames
        if self._encoder is not None:
            self._folder.add(number, self._encoder.finish(frames, self._last_pts))
            self._encoder = None
            return
        segment = self._folder.segments[number]
        if (segment.frames, segment.last_pts) != (frames, self._last_pts):
            self._refuse(number)

    @property
    def _segment_number(self) -> int:
        """The number of the segment that the last frame belongs to."""
        return (self.frames - 1) // self._folder.segment_frames

    def _refuse(self, number: int) -> NoReturn:
        """Remove the segments from ``number`` on, which do not fit the source's frames."""
        self._folder.drop_from(number)
        raise EmtcmError(
            f"{self._reader.path} did not give the same frames as before around frame {self.frames}; "
            "the same command makes them again"
        )

    def _join(self) -> None:
        """Write the file: the packets of the segments and of the other streams, merged by decoding time."""
        writer = VideoWriter(self._path, self._reader, self._first, self._settings)
        segments = [self._folder.segments[n] for n in sorted(self._folder.segments)]
        try:
            with closing(self._reader.again()) as reader:
                video = ((_seconds(p), writer.write_encoded, p) for p in _joined_packets(segments))
                others = ((_seconds(p), writer.write, p) for p in reader.others())
                for _, write, packet in heapq.merge(video, others, key=itemgetter(0)):
                    write(packet)
            writer.complete()
        except BaseException:
            writer.abandon()
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Add the time of the block to :attr:`seconds`, and raise what fails in it as a WritingError.

        The message says at which frame the same command goes on.
        """
        began = time.perf_counter()
        try:
            yield
        except (FFmpegError, OSError, ValueError, WritingError) as error:
            failed = str(error) if isinstance(error, WritingError) else f"writing failed: {reason(error)}"
            frame = self._folder.next_frame
            after = f"; the same command goes on from frame {frame}" if frame else ""
            raise WritingError(f"{failed}{after}") from error
        self.seconds += time.perf_counter() - began


def _joined_packets(segments: list[Segment]) -> Iterator[Packet[Stream]]:
    """Yield the packets of all segments, with decoding times as if one encoder had made them."""
    shown = [pts for segment in segments for pts in segment.shown]
    first = min(shown)
    times = (first if packet.dts is None else packet.dts for packet in read_packets(segments[0]))
    lead = list(takewhile(lambda dts: dts < first, times))
    packets = chain.from_iterable(map(read_packets, segments))
    for packet, dts in zip(packets, decoding_times(shown, lead), strict=True):
        packet.dts = dts
        yield packet


def _seconds(packet: Packet[Stream]) -> float:
    """Return the decoding time of a packet in seconds, or minus infinity if it has none."""
    base = as_fraction(packet.time_base)
    return float("-inf") if packet.dts is None or base is None else float(packet.dts * base)

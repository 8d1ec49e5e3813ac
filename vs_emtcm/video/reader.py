"""Reader of a video file: its video stream decoded, all other streams as packets to copy."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vs_emtcm.errors import EmtcmError, UsageError, reason
from vs_emtcm.video.dolby_vision import refuse_incompatible
from vs_emtcm.video.hdr import StaticHdr, static_hdr
from vs_emtcm.video.header import (
    DEFAULT_RATE,
    elementary_rate,
    frame_count,
    frame_rate,
    is_avi,
    is_elementary,
    missing_seconds,
)
from vs_emtcm.video.hidden_packets import hidden_timestamps
from vs_emtcm.video.interlacing import frames_are_flagged, says_interlaced
from vs_emtcm.video.lost import lost_of_frame, lost_of_frames, lost_of_header
from vs_emtcm.video.notes import note
from vs_emtcm.video.rational import as_fraction
from vs_emtcm.video.tag_changes import TagChanges
from vs_emtcm.video.timeline import Timeline

RESTARTED = "timestamps start again within the file; they were continued"
FLAGGED = "frames are flagged as interlaced; they were taken for progressive"
CONTRADICTORY = (
    "the file says that its video is interlaced, its frames say that they are not; "
    "they were taken for progressive"
)
NO_RATE = (
    f"the video does not say its frame rate; {DEFAULT_RATE} frames a second were taken, so that it "
    "may be too fast or too slow"
)
NOT_INCREASING = "some timestamps do not increase; they were corrected"

# Transport and program streams: their clock may begin at any hour, and start again.
DISCONTINUOUS = frozenset({"mpegts", "mpeg"})

# A decoded frame of the video stream, or an undecoded packet of another stream.
type Item = av.VideoFrame | Packet[Stream]


class VideoReader:
    """An open video file.

    Args:
        path: the file.
        threads: decoder threads; 0 lets FFmpeg choose.
        assume_progressive: take frames that are flagged as interlaced for progressive.

    Raises:
        UsageError: the file is missing, unreadable, no video, or has no video stream that can be upscaled.

    Attributes:
        path: the file.
        container: the open file.
        video: the stream that is decoded.
        rate: its frames per second, the average if they vary.
        time_base: its time base in seconds.
        start: the time at which the file begins, in seconds; the times of frames and packets begin at zero.
        frames: the number of frames that the header gives or implies, or None.
        hidden: of each stream, by its index, the times of the packets that an edit list hides at its start.
        hdr: static HDR metadata of the first frame, once that is decoded, or None.
        damage: the damage found so far, one clause each.
        warnings: what was corrected so far, one clause each.
        lost: metadata found so far that is not carried over, one sentence each.
        seconds: time spent in reading and decoding so far.
    """

    def __init__(self, path: Path, threads: int = 0, *, assume_progressive: bool = False) -> None:
        self.path = path
        self._assume_progressive = assume_progressive
        try:
            # FFmpeg takes the part of a plain name before a colon for a protocol.
            self.container = av.open(f"file:{path}", "r")
            self._opened = path.stat()
        except (FFmpegError, OSError) as error:
            raise UsageError(f"{path} cannot be opened as a video: {reason(error)}") from error
        video = self._pick_video()
        if video.codec_context is None or video.format is None:
            self.container.close()
            raise UsageError(
                f"{path} has video that cannot be decoded, as its codec is unknown or the file is damaged; "
                "convert it with another program first"
            )
        try:
            refuse_incompatible(path, video)
        except UsageError:
            self.container.close()
            raise
        self.video = video
        # Known before the decoder is open, which may change it.
        self._says_interlaced = says_interlaced(video)
        self.video.codec_context.thread_count = threads
        self.video.thread_type = "AUTO"
        self.damage: list[str] = []
        self.warnings: list[str] = []
        self._is_elementary = is_elementary(self.container)
        self.rate = self._elementary_rate() if self._is_elementary else frame_rate(video)
        self.time_base = as_fraction(video.time_base) or 1 / self.rate
        self.hdr: StaticHdr | None = None
        self.lost = lost_of_header(video)
        self._lost_of_frames = lost_of_frames(video)
        self.seconds = 0.0
        # When the next frame of an elementary stream is shown, in its time base.
        self._next_pts = 0
        self._last_pts: int | None = None
        discontinuous = self.container.format.name in DISCONTINUOUS
        self.start = Fraction(self.container.start_time or 0, av.time_base)
        if not discontinuous:
            # Audio before zero only prepares its decoder. In a broadcast, times before zero are real: FFmpeg
            # gives them to a clock that is about to wrap around.
            self.start = max(Fraction(0), self.start)
        self._timeline = Timeline(self.rate, self.start, discontinuous=discontinuous)
        # AVI has decoding times only; the frames are shown at these times, in their order.
        self._due: deque[int] | None = deque() if is_avi(self.container) else None
        # Width, height and pixel format of the first frame.
        self._size: tuple[int, int, str] | None = None
        self._tag_changes = TagChanges()
        self._decoded = 0
        self.hidden = {stream.index: hidden_timestamps(stream) for stream in self.container.streams}
        self.frames = frame_count(self.container, video, self.rate, self.start)

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def again(self) -> VideoReader:
        """Return another reader of the same file, at its start.

        Raises:
            EmtcmError: the file was removed, replaced or shortened.
        """
        try:
            now = self.path.stat()
            same = (now.st_dev, now.st_ino) == (self._opened.st_dev, self._opened.st_ino)
            if same and now.st_size >= self._opened.st_size:
                return VideoReader(self.path)
        except (OSError, UsageError) as error:
            raise EmtcmError(f"{self.path} cannot be read any more: {reason(error)}") from error
        raise EmtcmError(f"{self.path} was replaced while it was read; put back what it was")

    def items(self) -> Iterator[Item]:
        """Yield decoded frames of the video stream and undecoded packets of the others, in file order.

        Every frame has a ``pts`` later than the one before. Damage is noted in :attr:`damage`, and everything
        that can be decoded is yielded.

        Raises:
            EmtcmError: a frame is interlaced or of another size or pixel format than the first.
        """
        # Where the packets of the video, and those of video and audio, end, in seconds.
        video_end = latest_end = 0.0
        for packet in self._packets():
            began = time.perf_counter()
            is_video = packet.stream_index == self.video.index
            if is_video:
                video_end = max(video_end, _end_of(packet))
            if is_video or packet.stream.type == "audio":
                latest_end = max(latest_end, _end_of(packet))
            ready = self._decode(packet) if is_video else [packet] if packet.size else []
            self.seconds += time.perf_counter() - began
            yield from ready
        # Frames that the decoder still holds when reading stopped early.
        yield from self._decode(None)
        self._check_size()
        self._check_end(video_end=video_end, latest_end=latest_end)

    def others(self) -> Iterator[Packet[Stream]]:
        """Yield the packets that :meth:`items` yields, in the same order, without decoding any frame."""
        for packet in self._packets():
            if packet.stream_index != self.video.index and packet.size:
                yield packet

    def _packets(self) -> Iterator[Packet[Stream]]:
        """Yield the packets of all streams in file order, with times that begin at zero and go on."""
        streams = [s for s in self.container.streams if s.type in ("video", "audio", "subtitle")]
        packets = self.container.demux(streams)
        while True:
            began = time.perf_counter()
            try:
                packet = next(packets, None)
            except FFmpegError as error:
                self.damage.append(f"reading stopped early: {reason(error)}")
                packet = None
            if packet is None:
                return
            if self._timeline.move(packet):
                note(self.warnings, RESTARTED)
            self.seconds += time.perf_counter() - began
            yield packet

    def _decode(self, packet: Packet[Stream] | None) -> list[av.VideoFrame]:
        """Return the frames that are ready after a packet, or after the last one with None."""
        queued = False
        if self._due is not None and packet is not None and packet.size and packet.dts is not None:
            self._due.append(packet.dts)
            queued = True
        try:
            frames = self.video.decode(packet)
        except av.error.EOFError:
            return []
        except FFmpegError as error:
            note(self.damage, f"a packet could not be decoded: {reason(error)}")
            if self._due and queued:
                self._due.pop()
            return []
        for frame in frames:
            self._refuse_interlaced(frame)
            self._refuse_change(frame)
            self._note_lost(frame)
            self._give_time(frame)
            self._decoded += 1
        return frames

    def _refuse_interlaced(self, frame: av.VideoFrame) -> None:
        interlaced = frame.interlaced_frame
        if self._says_interlaced and not interlaced:
            if not frames_are_flagged(self.video):
                interlaced = True
            elif not self._assume_progressive:
                note(self.warnings, CONTRADICTORY)
        if interlaced and self._assume_progressive:
            note(self.warnings, FLAGGED)
        elif interlaced:
            raise EmtcmError(
                f"{self.path} is interlaced (frame {self._decoded}); deinterlace it first, for example "
                "with 'ffmpeg -i INPUT -vf bwdif OUTPUT', or give --assume-progressive if the flag is wrong"
            )

    def _refuse_change(self, frame: av.VideoFrame) -> None:
        size = (frame.width, frame.height, frame.format.name)
        if self._size is None:
            self._size = size
            self.hdr = static_hdr(frame)
        if size != self._size:
            raise EmtcmError(
                f"{self.path} changes from {self._size[0]}x{self._size[1]} {self._size[2]} to "
                f"{size[0]}x{size[1]} {size[2]} at frame {self._decoded}; cut it there first"
            )

    def _note_lost(self, frame: av.VideoFrame) -> None:
        ratio = as_fraction(self.video.codec_context.sample_aspect_ratio)
        for sentence in self._tag_changes.find(frame, ratio):
            note(self.lost, sentence)
        for sentence in lost_of_frame(frame, self._lost_of_frames):
            note(self.lost, sentence)
        if frame.is_corrupt:
            note(self.damage, "frames are damaged")

    def _give_time(self, frame: av.VideoFrame) -> None:
        """Set the time base of a frame, and a ``pts`` later than that of the frame before."""
        if self._due:
            frame.pts = self._due.popleft()
        step = round(1 / self.rate / self.time_base)
        if self._is_elementary:
            # FFmpeg makes its times up, from those of decoding. A frame of film that is shown as three fields
            # of video has its duration; a frame in two packets, one for each field, has half of it.
            frame.pts = self._next_pts
            self._next_pts += max(step, frame.duration)
        if frame.pts is None:
            frame.pts = 0 if self._last_pts is None else self._last_pts + step
        if self._last_pts is not None and frame.pts <= self._last_pts:
            note(self.warnings, NOT_INCREASING)
            frame.pts = self._last_pts + 1
        frame.time_base = self.time_base
        self._last_pts = frame.pts

    def _check_size(self) -> None:
        with suppress(OSError):
            if self.path.stat().st_size > self._opened.st_size:
                note(self.damage, "it grew while it was read; repeat this when it is complete")

    def _check_end(self, *, video_end: float, latest_end: float) -> None:
        if RESTARTED in self.warnings:
            # FFmpeg calculates the duration from the first and the last time of the file.
            return
        missing = missing_seconds(
            self.container, self.video, self.rate, self.start, video_end=video_end, latest_end=latest_end
        )
        if missing is not None:
            note(self.damage, f"it ends {missing:.1f} s before the duration in its header")

    def _elementary_rate(self) -> Fraction:
        rate = elementary_rate(self.video)
        if rate is None:
            self.warnings.append(NO_RATE)
        return rate or DEFAULT_RATE

    def _pick_video(self) -> VideoStream:
        """Return the video stream that FFmpeg takes by default, or the first, leaving cover pictures out."""
        candidates = [s for s in self.container.streams.video if not s.disposition & Disposition.attached_pic]
        best = self.container.streams.best("video")
        if isinstance(best, VideoStream) and best in candidates:
            return best
        if candidates:
            return candidates[0]
        self.container.close()
        raise UsageError(f"{self.path} has no video stream; give a file with one")


def _end_of(packet: Packet[Stream]) -> float:
    """Return when a packet ends, in seconds, or zero if it has no time."""
    base = as_fraction(packet.time_base)
    if packet.pts is None or base is None:
        return 0.0
    return float((packet.pts + (packet.duration or 0)) * base)

"""Writer of a video file: frames are encoded, the other streams of the source copied."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.stream import AttachmentStream, Disposition, Stream

from vs_emtcm.errors import UsageError, WritingError, reason
from vs_emtcm.video.containers import can_hold, check_container_holds, open_container, other_suffixes
from vs_emtcm.video.encoder import HARDWARE, EncoderSettings, find_encoder
from vs_emtcm.video.ffmpeg import AVFMT_TS_NONSTRICT, NO_TIME
from vs_emtcm.video.frame_plan import plan_frames
from vs_emtcm.video.hidden_packets import HiddenPackets
from vs_emtcm.video.notes import note
from vs_emtcm.video.rational import as_fraction
from vs_emtcm.video.reader import Item, VideoReader
from vs_emtcm.video.signalling import MP4_CONTAINERS
from vs_emtcm.video.track import VideoTrack

# Tags that a container writes about itself.
CONTAINER_TAGS = frozenset({"ENCODER", "MAJOR_BRAND", "MINOR_VERSION", "COMPATIBLE_BRANDS"})


class VideoWriter:
    """A video file that is being written.

    Args:
        path: the file; the container follows from the suffix.
        reader: the source, whose other streams, tags and chapters are copied.
        first: the first upscaled frame; it gives size, pixel format and colour tags.
        settings: how to encode.

    Raises:
        UsageError: the container is unknown or cannot hold the codec or an audio stream.

    Attributes:
        conversion: what every upscaled frame goes through before it is encoded.
        track: the video stream.
        warnings: what could not be copied, one sentence each.
        frames: the number of frames written so far.
        resumed: the number of them that were done before, which is always zero.
        seconds: time spent encoding and writing so far.
    """

    track: VideoTrack

    def __init__(
        self, path: Path, reader: VideoReader, first: av.VideoFrame, settings: EncoderSettings
    ) -> None:
        self.warnings: list[str] = []
        self.frames = self.resumed = 0
        self.seconds = 0.0
        self._suffix = path.suffix
        # The decoding time of the last packet of the video, and of each copied stream by its index.
        self._last_dts: int | None = None
        self._copied_dts: dict[int, int] = {}
        # What a container without edit lists does not get, of each copied stream by the source's index.
        self._hidden: dict[int, HiddenPackets] = {}
        self._damage = reader.damage
        self._container = open_container(path)
        try:
            plan = plan_frames(self._container.format.name, self._suffix, reader, first, settings)
            self.conversion = plan.conversion
            self.warnings += plan.warnings
            self._copied = self._add_streams(reader, first, settings)
            self._copy_tags(reader)
            self._container.start_encoding()
        except FFmpegError as error:
            self._container.close()
            raise UsageError(self._refusal(reader, settings, error)) from error
        except BaseException:
            self._container.close()
            raise

    def _refusal(self, reader: VideoReader, settings: EncoderSettings, error: FFmpegError) -> str:
        """Return the sentence about an encoder or a muxer that could not be opened."""
        if find_encoder(settings.codec).name.endswith(HARDWARE):
            return (
                f"{settings.codec} does not work here: {error.strerror}; it needs its graphics card and "
                "driver, libx264 and libx265 need none"
            )
        given = [f"--{n}" for n in ("crf", "preset") if getattr(settings, n) is not None]
        given += ["--encoder-option"] if settings.options else []
        sound = [
            s.codec_context.codec.canonical_name for s in reader.container.streams.audio if s.codec_context
        ]
        beside = f" and the source's {' and '.join(sound)} audio" if sound else ""
        encoded = f"{settings.codec} with {self.conversion.pix_fmt}"
        return (
            f"{encoded}{beside} in a {self._suffix} file does not work: {error.strerror}; "
            f"try another {', '.join([*given, '--codec', '--pix-fmt'])} or container"
        )

    def write(self, item: Item) -> None:
        """Encode a frame or copy a packet of another stream.

        Raises:
            WritingError: encoding or writing failed.
        """
        with self._writing():
            if isinstance(item, av.VideoFrame):
                self._container.mux(self.track.encode(self.track.prepared(item)))
                self.frames += 1
            elif item.stream_index in self._copied:
                self._copy(item, self._copied[item.stream_index])

    def _copy(self, packet: Packet[Stream], target: Stream) -> None:
        hidden = self._hidden.get(packet.stream_index)
        if hidden is not None and hidden.leaves_out(packet):
            return
        packet.stream = target
        packet.rescale_ts(target.time_base)
        # Muxers refuse times that step back, as in joined recordings; for audio, most refuse equal times too.
        nonstrict = self._container.format.flags & AVFMT_TS_NONSTRICT
        loose = nonstrict or target.type != "audio"
        earliest = self._copied_dts.get(target.index, NO_TIME) + (0 if loose else 1)
        if packet.dts is not None:
            if packet.dts < earliest:
                packet.dts = earliest
                packet.pts = earliest if packet.pts is None else max(packet.pts, earliest)
            self._copied_dts[target.index] = packet.dts
        try:
            self._container.mux(packet)
        except InvalidDataError:
            note(self._damage, f"a packet of {target.type} could not be copied")

    def write_encoded(self, packet: Packet[Stream]) -> None:
        """Write a packet of the video stream that another encoder made with the same settings.

        Raises:
            WritingError: writing failed.
        """
        with self._writing():
            stream = self.track.stream
            packet.stream = stream
            packet.rescale_ts(stream.time_base)
            if packet.dts is not None:
                # In the container's time base, neighbouring packets may fall on one tick.
                if self._last_dts is not None and packet.dts <= self._last_dts:
                    dts = self._last_dts + 1
                    packet.dts = dts if packet.pts is None else min(dts, packet.pts)
                self._last_dts = packet.dts
            self._container.mux(packet)

    def finish(self) -> None:
        """Encode what is left and complete the file.

        Raises:
            WritingError: encoding or writing failed.
        """
        with self._writing():
            self._container.mux(self.track.encode(None))
        self.complete()

    def complete(self) -> None:
        """Complete the file without asking the encoder for more: it holds no frames, or was emptied before.

        Raises:
            WritingError: writing failed.
        """
        with self._writing():
            self._container.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Add the time of the block to :attr:`seconds`, and raise what fails in it as a WritingError."""
        began = time.perf_counter()
        try:
            yield
        except (FFmpegError, OSError, ValueError) as error:
            raise WritingError(f"writing failed: {reason(error)}") from error
        self.seconds += time.perf_counter() - began

    def abandon(self) -> None:
        """Close the file as it is, after a failure."""
        # The failure that led here is the one to report.
        with suppress(FFmpegError, OSError, ValueError):
            self._container.close()

    def _add_streams(
        self, reader: VideoReader, first: av.VideoFrame, settings: EncoderSettings
    ) -> dict[int, Stream]:
        """Add all streams in the order of the source; return the copied ones by the source's index."""
        copied: dict[int, Stream] = {}
        self._has_chapters = bool(reader.container.chapters())
        check_container_holds(self._container, self._suffix, find_encoder(settings.codec))
        for stream in reader.container.streams:
            if stream.index == reader.video.index:
                self.track = VideoTrack(
                    self._container, self._suffix, reader, first, settings, self.conversion
                )
                self.warnings += self.track.warnings
            elif isinstance(stream, AttachmentStream):
                self._add_attachment(stream)
            elif self._can_copy(stream):
                target = self._add_copy(reader, stream)
                target.metadata.update(stream.metadata)
                target.disposition = stream.disposition
                target.time_base = stream.time_base
                copied[stream.index] = target
        return copied

    def _add_copy(self, reader: VideoReader, stream: Stream) -> Stream:
        """Add a stream for copied packets of a stream of the source."""
        if self._container.format.name in MP4_CONTAINERS:
            return self._container.add_stream_from_template(stream, opaque=True)
        self._hidden[stream.index] = HiddenPackets(reader.path, stream, reader.hidden[stream.index])
        with self._hidden[stream.index].template() as template:
            return self._container.add_stream_from_template(template, opaque=True)

    def _can_copy(self, stream: Stream) -> bool:
        """Return whether a stream can be copied; one that cannot is added to :attr:`warnings`.

        Raises:
            UsageError: it is audio, without which the result would be useless.
        """
        kind = stream.type
        if kind == "data":
            # MP4 has such streams for its chapters, and for time codes, which are copied as tags.
            known = self._has_chapters and stream.name == "bin_data"
            if not known and "timecode" not in stream.metadata:
                self.warnings.append(f"data stream {stream.index} ({stream.name or 'unknown'}) is left out")
            return False
        if kind == "video" and not stream.disposition & Disposition.attached_pic:
            self.warnings.append(f"video stream {stream.index} is left out: one is upscaled")
            return False
        if kind == "video" and self._container.format.name != "mp4":
            # In other containers it would become a second video track.
            self.warnings.append(f"cover picture {stream.index} is left out: only .mp4 keeps it")
            return False
        codec = stream.codec_context.codec if stream.codec_context else None
        if codec is not None and can_hold(self._container, codec):
            return True
        name = "unknown" if codec is None else codec.canonical_name
        if kind == "audio":
            others = "" if codec is None else other_suffixes(self._suffix, codec)
            raise UsageError(
                f"a {self._suffix} file cannot hold the source's {name} audio; use {others}what "
                "'ffmpeg -i INPUT -map 0 -c copy -c:a flac OUTPUT.mkv' makes of the source"
            )
        self.warnings.append(
            f"{kind} stream {stream.index} ({name}) is left out: a {self._suffix} file cannot hold it"
        )
        return False

    def _add_attachment(self, stream: AttachmentStream) -> None:
        if self._container.format.name != "matroska":
            self.warnings.append(f"attachment {stream.index} is left out: only .mkv can hold it")
            return
        name = stream.name or f"attachment{stream.index}"
        self._container.add_attachment(name, stream.mimetype or "application/octet-stream", stream.data)

    def _copy_tags(self, reader: VideoReader) -> None:
        source = reader.container.metadata
        tags = {k: v for k, v in source.items() if k.upper() not in CONTAINER_TAGS}
        self._container.metadata.update(tags)
        chapters = reader.container.chapters()
        for chapter in chapters:
            shift = round(reader.start / (as_fraction(chapter["time_base"]) or 1))
            chapter["start"], chapter["end"] = chapter["start"] - shift, chapter["end"] - shift
        if chapters:
            self._container.set_chapters(chapters)

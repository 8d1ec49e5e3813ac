"""Writes a video file: frames encoded, the other streams of its source copied."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from av.codec import Codec
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import AttachmentStream, Disposition, Stream
from av.video.stream import VideoStream

from vs_emtcm.errors import EmtcmError, UsageError, reason
from vs_emtcm.video.conversion import (
    AVCOL_RANGE_FULL,
    AVCOL_RANGE_LIMITED,
    Conversion,
    choose_conversion,
)
from vs_emtcm.video.encoder import (
    DEFAULT_CRF,
    DEFAULT_QUANTISER,
    FF_QP2LAMBDA,
    HARDWARE,
    MPEG4_TICKS,
    QUANTISER_ENCODERS,
    RATE_ENCODERS,
    EncoderSettings,
    choose_pix_fmt,
    encoder_options,
    find_encoder,
    fits_chroma,
    has_alpha,
)
from vs_emtcm.video.reader import VideoReader
from vs_emtcm.video.timeline import as_fraction

# WebM's tag of VP8 or VP9 with transparency, which FFmpeg's own decoders leave out.
ALPHA_MODE = "ALPHA_MODE"

# Tags of a source's video stream that describe its encoding, not its content.
ENCODING_TAGS = frozenset(
    {"DURATION", "ENCODER", "ENCODER_OPTIONS", "BPS", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", ALPHA_MODE}
)
CONTAINER_TAGS = frozenset({"ENCODER", "MAJOR_BRAND", "MINOR_VERSION", "COMPATIBLE_BRANDS"})


# Muxers that do not say what they hold; a codec that they lack shows when the header is written.
WITHOUT_CODEC_LIST = frozenset({"mpegts", "mpeg", "mxf"})
# Others would become streams of data there.
MPEG_SUBTITLES = frozenset({"dvb_subtitle", "dvb_teletext"})
# What says of itself what its container may not: which range it has, and the shape of its pixels.
RANGE_CODECS = frozenset({"h264", "hevc", "vp9", "av1", "mjpeg"})
RANGE_CONTAINERS = frozenset({"matroska", "webm"})
RATIO_CODECS = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"})
RATIO_CONTAINERS = frozenset({"mp4", "mov"})
ROTATION_CONTAINERS = frozenset({"mp4", "mov", "matroska", "webm"})


def check_container(path: Path, codec: str) -> None:
    """Refuse a suffix that stands for no container, or one that cannot hold the codec.

    Raises:
        UsageError: it is one.
    """
    with open_container(path) as container:
        if container.format.no_file:
            raise UsageError(f"a {path.suffix} output is more than one file; use .mkv or .mp4")
        check_holds(container, path.suffix, find_encoder(codec))


def check_holds(container: OutputContainer, suffix: str, codec: Codec) -> None:
    """Refuse a container that cannot hold the codec.

    Raises:
        UsageError: it cannot.
    """
    if not _holds(container, codec):
        instead = "another codec" if suffix == ".mkv" else ".mkv"
        raise UsageError(f"a {suffix} file cannot hold {codec.canonical_name} video; use {instead}")


def _holds(container: OutputContainer, codec: Codec) -> bool:
    if container.format.name in WITHOUT_CODEC_LIST:
        return codec.type != "subtitle" or codec.canonical_name in MPEG_SUBTITLES
    # PyAV lists implementations: "dca" and "pgssub" for what FFmpeg calls "dts" and "hdmv_pgs_subtitle".
    return not container.supported_codecs.isdisjoint({codec.name, codec.canonical_name})


class VideoWriter:
    """A video file being written.

    Args:
        path: where to; the container follows from the suffix.
        reader: the source, whose other streams, tags and chapters are copied.
        first: the first upscaled frame; it gives size, pixel format and colour tags.
        settings: how to encode.

    Raises:
        UsageError: the container is unknown or cannot hold the codec or an audio stream.

    Attributes:
        warnings: what could not be copied, one sentence each.
        seconds: time spent encoding and writing so far.
    """

    def __init__(
        self, path: Path, reader: VideoReader, first: av.VideoFrame, settings: EncoderSettings
    ) -> None:
        self.warnings: list[str] = []
        self.seconds = 0.0
        self._last_pts: int | None = None
        self._suffix = path.suffix
        codec = find_encoder(settings.codec)
        self._pix_fmt = settings.pix_fmt or self._choose_pix_fmt(codec, first)
        if not fits_chroma(codec, self._pix_fmt, first.width, first.height):
            raise UsageError(
                f"{codec.name} takes no {first.width}x{first.height} video in {self._pix_fmt}, only sizes "
                "that its chroma divides; try --pix-fmt yuv444p"
            )
        tags = {name.upper(): value for name, value in reader.video.metadata.items()}
        if tags.get(ALPHA_MODE) == "1" and not has_alpha(reader.video.format):
            self.warnings.append("transparency is left out: FFmpeg's decoder of this video does not give it")
        if has_alpha(reader.video.format) and not has_alpha(av.VideoFormat(self._pix_fmt)):
            self.warnings.append(
                f"transparency is left out: {self._pix_fmt} has none, "
                "--codec ffv1 --pix-fmt yuva444p keeps it"
            )
        self._container = open_container(path)
        self._conversion = self._choose_conversion(first, codec)
        try:
            self._copied = self._add_streams(reader, first, codec, settings)
            self._copy_tags(reader)
            self._container.start_encoding()
        except FFmpegError as error:
            self._container.close()
            if settings.codec.endswith(HARDWARE):
                raise UsageError(
                    f"{settings.codec} does not work here: {error.strerror}; it needs its graphics card and "
                    "driver, libx264 and libx265 need none"
                ) from error
            given = [f"--{n}" for n in ("crf", "preset") if getattr(settings, n) is not None]
            sound = [
                s.codec_context.codec.canonical_name
                for s in reader.container.streams.audio
                if s.codec_context
            ]
            beside = f" and the source's {' and '.join(sound)} audio" if sound else ""
            raise UsageError(
                f"{settings.codec} with {self._pix_fmt}{beside} in a {path.suffix} file does not work: "
                f"{error.strerror}; try another {', '.join([*given, '--codec', '--pix-fmt'])} or container"
            ) from error
        except BaseException:
            self._container.close()
            raise

    def write(self, item: av.VideoFrame | Packet[Stream]) -> None:
        """Encode a frame or copy a packet of another stream.

        Raises:
            EmtcmError: encoding or writing failed.
        """
        began = time.perf_counter()
        try:
            if isinstance(item, av.VideoFrame):
                self._container.mux(self._video.encode(self._timed(self._conversion(item))))
            elif item.stream_index in self._copied:
                item.stream = self._copied[item.stream_index]
                self._container.mux(item)
        except (FFmpegError, OSError, ValueError) as error:
            raise EmtcmError(f"writing failed: {reason(error)}") from error
        self.seconds += time.perf_counter() - began

    def finish(self) -> None:
        """Encode what is left and complete the file.

        Raises:
            EmtcmError: encoding or writing failed.
        """
        began = time.perf_counter()
        try:
            self._container.mux(self._video.encode(None))
            self._container.close()
        except (FFmpegError, OSError, ValueError) as error:
            raise EmtcmError(f"writing failed: {reason(error)}") from error
        self.seconds += time.perf_counter() - began

    def abandon(self) -> None:
        """Close the file as it is, after a failure."""
        # The failure that led here is the one to report.
        with suppress(FFmpegError, OSError, ValueError):
            self._container.close()

    def _choose_pix_fmt(self, codec: Codec, first: av.VideoFrame) -> str:
        chosen = choose_pix_fmt(codec, first.format.name, first.width, first.height)
        if chosen != choose_pix_fmt(codec, first.format.name, 64, 64):
            self.warnings.append(
                f"{first.width}x{first.height} is written as {chosen}: {codec.name} takes subsampled chroma "
                "at even sizes only, and not every player takes this"
            )
        return chosen

    def _choose_conversion(self, first: av.VideoFrame, codec: Codec) -> Conversion:
        said = codec.canonical_name in RANGE_CODECS or self._container.format.name in RANGE_CONTAINERS
        conversion = choose_conversion(first, self._pix_fmt, said)
        ranges = first.color_range, conversion.color_range
        if ranges == (AVCOL_RANGE_FULL, AVCOL_RANGE_LIMITED) and not first.format.is_rgb:
            self.warnings.append(
                f"full range is written as limited range: {codec.name} in a {self._suffix} file could not "
                "say which it is"
            )
        return conversion

    def _timed(self, frame: av.VideoFrame) -> av.VideoFrame:
        # Where frames are counted, two that are closer than a count become neighbours.
        given, time_base = (as_fraction(x.time_base) for x in (frame, self._video.codec_context))
        assert given is not None
        assert time_base is not None
        assert frame.pts is not None
        ticks = given / time_base
        pts = round(frame.pts * ticks)
        frame.duration = round(frame.duration * ticks)
        frame.pts = pts if self._last_pts is None else max(pts, self._last_pts + 1)
        frame.time_base = time_base
        self._last_pts = frame.pts
        return frame

    def _add_streams(
        self,
        reader: VideoReader,
        first: av.VideoFrame,
        codec: Codec,
        settings: EncoderSettings,
    ) -> dict[int, Stream]:
        copied: dict[int, Stream] = {}
        check_holds(self._container, self._suffix, codec)
        for stream in reader.container.streams:
            if stream.index == reader.video.index:
                self._video = self._add_video(reader, first, codec, settings)
            elif isinstance(stream, AttachmentStream):
                self._add_attachment(stream)
            elif self._can_copy(stream):
                target = self._container.add_stream_from_template(stream, opaque=True)
                target.metadata.update(stream.metadata)
                target.disposition = stream.disposition
                target.time_base = stream.time_base
                copied[stream.index] = target
        return copied

    def _can_copy(self, stream: Stream) -> bool:
        kind = stream.type
        if kind == "data":
            return False
        if kind == "video" and not stream.disposition & Disposition.attached_pic:
            self.warnings.append(f"video stream {stream.index} is left out: one is upscaled")
            return False
        if kind == "video" and self._container.format.name != "mp4":
            # It would become a second video track there.
            self.warnings.append(f"cover picture {stream.index} is left out: only .mp4 keeps it")
            return False
        codec = stream.codec_context.codec if stream.codec_context else None
        if codec is not None and _holds(self._container, codec):
            return True
        name = "unknown" if codec is None else codec.canonical_name
        if kind == "audio":
            raise UsageError(f"a {self._suffix} file cannot hold the source's {name} audio; use .mkv")
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

    def _add_video(
        self, reader: VideoReader, first: av.VideoFrame, codec: Codec, settings: EncoderSettings
    ) -> VideoStream:
        options = {}
        known = encoder_options(settings.codec)
        if "crf" in known:
            options["crf"] = DEFAULT_CRF if settings.crf is None else f"{settings.crf:g}"
        elif settings.codec in QUANTISER_ENCODERS:
            options |= {"flags": "+qscale", "global_quality": str(DEFAULT_QUANTISER * FF_QP2LAMBDA)}
        if settings.preset is not None:
            options["preset"] = settings.preset
        if self._container.format.name == "avi":
            # AVI has no time of showing beside that of decoding.
            options["bf"] = "0"
        if settings.codec == "mjpeg":
            # Studio range is no part of JPEG; FFmpeg then writes it into a comment, which it reads again.
            options["strict"] = "unofficial"
        if reader.hdr is not None:
            hdr = reader.hdr.encoder_options(settings.codec)
            options.update(hdr)
            if not hdr:
                self.warnings.append(
                    f"static HDR metadata is left out: {settings.codec} does not write it here, "
                    "libx264 and libx265 do"
                )
        if codec.name == "libx265":
            # It reports to the terminal itself, past FFmpeg.
            given = options.get("x265-params")
            options["x265-params"] = f"{given}:log-level=error" if given else "log-level=error"
        stream = self._container.add_stream(settings.codec, rate=reader.rate, options=options)
        assert isinstance(stream, VideoStream)
        source, context = reader.video, stream.codec_context
        stream.width, stream.height = first.width, first.height
        stream.pix_fmt = self._pix_fmt
        # AVI counts frames: with a finer time base, players would see the gaps as frames.
        counts = self._container.format.name == "avi" or settings.codec in RATE_ENCODERS
        coarse = settings.codec == "mpeg4" and reader.time_base.denominator > MPEG4_TICKS
        time_base = 1 / reader.rate if counts or coarse else reader.time_base
        stream.time_base = time_base
        context.time_base = time_base
        context.thread_count = settings.threads
        ratio = source.sample_aspect_ratio
        if ratio:
            context.sample_aspect_ratio = ratio
        kept = codec.canonical_name in RATIO_CODECS or self._container.format.name in RATIO_CONTAINERS
        if ratio and ratio != 1 and not kept:
            self.warnings.append(
                f"the pixel aspect ratio {ratio.numerator}:{ratio.denominator} is left out: "
                f"{codec.name} in a {self._suffix} file does not keep it; .mp4 or --codec libx264 does"
            )
        context.color_primaries = first.color_primaries
        context.color_trc = first.color_trc
        context.colorspace, context.color_range = self._conversion.colorspace, self._conversion.color_range
        context.chroma_sample_location = self._conversion.chroma_location
        stream.disposition = source.disposition
        tags = {k: v for k, v in source.metadata.items() if not _is_encoding_tag(k)}
        stream.metadata.update(tags)
        matrix = source.codec_context.coded_side_data.get("display_matrix")
        if matrix is not None and self._container.format.name not in ROTATION_CONTAINERS:
            self.warnings.append(f"the rotation is left out: a {self._suffix} file cannot hold it")
        elif matrix is not None:
            stream.set_display_matrix(np.frombuffer(matrix, np.int32).tolist())
        return stream

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


def open_container(path: Path) -> OutputContainer:
    """Open a file for writing; the container follows from the suffix.

    Raises:
        UsageError: there is no container of this suffix, or the file cannot be created.
    """
    try:
        # Audio waits this long, in microseconds of the film, for frames that the encoder holds back.
        return av.open(str(path), "w", container_options={"max_interleave_delta": "60000000"})
    except ValueError as error:
        raise UsageError(f"no video container has the suffix {path.suffix!r}; use .mkv or .mp4") from error
    except (FFmpegError, OSError) as error:
        raise UsageError(f"{path.parent} cannot be written to: {reason(error)}") from error


def _is_encoding_tag(name: str) -> bool:
    plain = name.upper().partition("-")[0]
    return plain in ENCODING_TAGS or plain.startswith("_STATISTICS")

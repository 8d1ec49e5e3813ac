"""The video stream of a file that is written: what its frames become, and its encoder."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property

import av
import numpy as np
from av.codec import Codec
from av.codec.context import Flags as CodecFlags
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vs_emtcm.errors import UsageError
from vs_emtcm.video.conversion import Conversion, choose_conversion
from vs_emtcm.video.encoder import (
    MPEG4_TICKS,
    PARAMETER_LISTS,
    RATE_ENCODERS,
    EncoderSettings,
    choose_pix_fmt,
    counted_rate,
    encoder_options,
    find_encoder,
    fits_chroma,
    has_alpha,
    rate_options,
)
from vs_emtcm.video.ffmpeg import (
    AVCOL_BT470BG,
    AVCOL_RANGE_FULL,
    AVCOL_RANGE_LIMITED,
    AVCOL_SMPTE170M,
    AVCOL_UNSPECIFIED,
)
from vs_emtcm.video.frames import native_format, nearest_native
from vs_emtcm.video.quality import quality_options
from vs_emtcm.video.reader import VideoReader
from vs_emtcm.video.signalling import (
    MP4_CONTAINERS,
    fixed_chroma_location,
    says_matrix,
    says_range,
    says_ratio,
    says_rotation,
)
from vs_emtcm.video.timeline import as_fraction

# WebM's tag of VP8 or VP9 with transparency, which FFmpeg's own decoders leave out.
ALPHA_MODE = "ALPHA_MODE"

# Tags of a source's video stream that describe its encoding, not its content.
ENCODING_TAGS = frozenset(
    {"DURATION", "ENCODER", "ENCODER_OPTIONS", "BPS", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", ALPHA_MODE}
)
# Without this name of HEVC, Apple's players refuse it.
HEVC_TAG = "hvc1"

# Between decoding and showing, in seconds; no film has more.
LONGEST_DELAY = 60


class FrameTimes:
    """Gives frames their times in the time base of an encoder, each later than the one before."""

    def __init__(self, time_base: Fraction) -> None:
        self._time_base = time_base
        self._last_pts: int | None = None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame itself."""
        # Where frames are counted, two that are closer than a count become neighbours.
        given = as_fraction(frame.time_base)
        assert given is not None
        assert frame.pts is not None
        ticks = given / self._time_base
        pts = round(frame.pts * ticks)
        frame.duration = round(frame.duration * ticks)
        frame.pts = pts if self._last_pts is None else max(pts, self._last_pts + 1)
        frame.time_base = self._time_base
        self._last_pts = frame.pts
        return frame


class VideoTrack:
    """The video stream of a container.

    Args:
        container: what it is added to, by :meth:`add`.
        suffix: of the file, such as ".mkv".
        reader: the source.
        first: the first upscaled frame; it gives size, pixel format and colour tags.
        settings: how to encode.

    Raises:
        UsageError: the encoder takes no such frames.

    Attributes:
        pix_fmt: that is encoded.
        conversion: what every frame goes through.
        warnings: what is lost, one sentence each.
        stream: once it is added, the stream.
    """

    stream: VideoStream

    def __init__(
        self,
        container: OutputContainer,
        suffix: str,
        reader: VideoReader,
        first: av.VideoFrame,
        settings: EncoderSettings,
    ) -> None:
        self.warnings: list[str] = []
        self._container = container
        self._suffix = suffix
        self._reader, self._first, self._settings = reader, first, settings
        codec = find_encoder(settings.codec)
        self.pix_fmt = settings.pix_fmt or self._choose_pix_fmt(codec)
        if not fits_chroma(codec, self.pix_fmt, first.width, first.height):
            raise UsageError(
                f"{codec.name} takes no {first.width}x{first.height} video in {self.pix_fmt}, only sizes "
                "that its chroma divides; try --pix-fmt yuv444p"
            )
        tags = {name.upper(): value for name, value in reader.video.metadata.items()}
        if tags.get(ALPHA_MODE) == "1" and not has_alpha(reader.video.format):
            self.warnings.append("transparency is left out: FFmpeg's decoder of this video does not give it")
        if has_alpha(reader.video.format) and not has_alpha(av.VideoFormat(self.pix_fmt)):
            self.warnings.append(
                f"transparency is left out: {self.pix_fmt} has none, --codec ffv1 --pix-fmt yuva444p keeps it"
            )
        self.conversion = self._choose_conversion(codec)
        self._tell_of_colours(codec)

    @cached_property
    def times(self) -> FrameTimes:
        """What gives frames their times in the encoder, once that is open."""
        time_base = as_fraction(self.stream.codec_context.time_base)
        assert time_base is not None
        return FrameTimes(time_base)

    def prepared(self, frame: av.VideoFrame) -> av.VideoFrame:
        """An upscaled frame as it is encoded."""
        return self.times(self.conversion(frame))

    def encode(self, frame: av.VideoFrame | None) -> list[Packet[VideoStream]]:
        """The packets that are ready after a prepared frame, or after the last with None."""
        packets = self.stream.encode(frame)
        for packet in packets:
            # x265 leaves what is in memory there in a film of one or two frames.
            base = as_fraction(packet.time_base)
            if packet.pts is None or packet.dts is None or base is None:
                continue
            if abs(packet.pts - packet.dts) * base > LONGEST_DELAY:
                packet.dts = packet.pts
        return packets

    def add(self) -> None:
        """Add the stream to the container."""
        reader, first, settings = self._reader, self._first, self._settings
        codec = find_encoder(settings.codec)
        rate = counted_rate(codec, reader.rate)
        stream = self._container.add_stream(settings.codec, rate=rate, options=self._options(codec))
        assert isinstance(stream, VideoStream)
        source, context = reader.video, stream.codec_context
        stream.width, stream.height = first.width, first.height
        stream.pix_fmt = self.pix_fmt
        # AVI counts frames: with a finer time base, players would see the gaps as frames.
        counts = self._container.format.name == "avi" or codec.name in RATE_ENCODERS
        time_base = 1 / rate if counts else reader.time_base
        if codec.name == "mpeg4" and time_base.denominator > MPEG4_TICKS:
            time_base = Fraction(1, MPEG4_TICKS)
        stream.time_base = time_base
        context.time_base = time_base
        context.thread_count = settings.threads
        # Without it, encoders forget how long the last picture stays.
        context.flags |= CodecFlags.frame_duration
        if codec.canonical_name == "hevc" and self._container.format.name in MP4_CONTAINERS:
            context.codec_tag = HEVC_TAG
        ratio = source.sample_aspect_ratio
        if ratio:
            context.sample_aspect_ratio = ratio
        if ratio and ratio != 1 and not says_ratio(codec.canonical_name, self._container.format.name):
            self.warnings.append(
                f"the pixel aspect ratio {ratio.numerator}:{ratio.denominator} is left out: "
                f"{codec.name} in a {self._suffix} file does not keep it; .mp4 or --codec libx264 does"
            )
        context.color_primaries = first.color_primaries
        context.color_trc = first.color_trc
        context.colorspace, context.color_range = self.conversion.colorspace, self.conversion.color_range
        context.chroma_sample_location = self.conversion.chroma_location
        stream.disposition = source.disposition
        tags = {k: v for k, v in source.metadata.items() if not _is_encoding_tag(k)}
        stream.metadata.update(tags)
        matrix = source.codec_context.coded_side_data.get("display_matrix")
        if matrix is not None and not says_rotation(self._container.format.name):
            self.warnings.append(f"the rotation is left out: a {self._suffix} file cannot hold it")
        elif matrix is not None:
            stream.set_display_matrix(np.frombuffer(matrix, np.int32).tolist())
        self.stream = stream

    def _options(self, codec: Codec) -> dict[str, str]:
        settings = self._settings
        known = frozenset(encoder_options(codec.name))
        options = {} if rate_options(settings) else quality_options(codec.name, known, settings.crf)
        if settings.preset is not None:
            options["preset"] = settings.preset
        if self._container.format.name == "avi":
            # AVI has no time of showing beside that of decoding.
            options["bf"] = "0"
        if codec.name == "mjpeg":
            # Studio range is no part of JPEG; FFmpeg then writes it into a comment, which it reads again.
            options["strict"] = "unofficial"
        if self._reader.hdr is not None:
            hdr = self._reader.hdr.encoder_options(codec.name)
            options.update(hdr)
            if not hdr:
                self.warnings.append(
                    f"static HDR metadata is left out: {settings.codec} does not write it here, "
                    "libx264 and libx265 do"
                )
        if codec.name == "libx265":
            # It reports to the terminal itself, past FFmpeg.
            options["x265-params"] = _joined(options.get("x265-params"), "log-level=error")
        for name, value in settings.options:
            if name in PARAMETER_LISTS:
                value = _joined(options.get(name), value)
            elif name == "flags" and value.startswith(("+", "-")):
                value = options.get(name, "") + value
            options[name] = value
        return options

    def _choose_pix_fmt(self, codec: Codec) -> str:
        first = self._first
        chosen = choose_pix_fmt(codec, first.format.name, first.width, first.height)
        if chosen != choose_pix_fmt(codec, first.format.name, 64, 64):
            self.warnings.append(
                f"{first.width}x{first.height} is written as {chosen}: {codec.name} takes subsampled chroma "
                "at even sizes only, and not every player takes this"
            )
        bits, kept = (_bits(av.VideoFormat(name)) for name in (self._reader.video.format.name, chosen))
        if kept < bits:
            self.warnings.append(
                f"{bits} bits are written as {kept}: {codec.name} takes no more; --codec libx265 or ffv1 may"
            )
        return chosen

    def _choose_conversion(self, codec: Codec) -> Conversion:
        first = self._first
        said = says_range(codec.canonical_name, self._container.format.name)
        format = native_format(nearest_native(self.pix_fmt))
        assert format is not None
        location = fixed_chroma_location(codec.canonical_name, format.subsampling)
        conversion = choose_conversion(first, self.pix_fmt, said, location)
        ranges = first.color_range, conversion.color_range
        if ranges == (AVCOL_RANGE_FULL, AVCOL_RANGE_LIMITED) and not first.format.is_rgb:
            self.warnings.append(
                f"full range is written as limited range: {codec.name} in a {self._suffix} file could not "
                "say which it is"
            )
        return conversion

    def _tell_of_colours(self, codec: Codec) -> None:
        """Say what becomes of colours that only the size of the source told."""
        before, after = self._reader.video.codec_context.colorspace, self.conversion.colorspace
        if before != AVCOL_UNSPECIFIED or after not in (AVCOL_BT470BG, AVCOL_SMPTE170M):
            return
        if says_matrix(codec.canonical_name, self._container.format.name):
            self.warnings.append(
                "the colours are not tagged: the result is tagged as BT.601, which is what players take a "
                "source of this size for; they would take the larger one for BT.709"
            )
        else:
            self.warnings.append(
                "the colours are not tagged: players take a source of this size for BT.601 and the larger "
                f"result for BT.709; {codec.name} in a {self._suffix} file cannot say which, "
                "--codec libx264 can"
            )


def _bits(format: av.VideoFormat) -> int:
    return max(component.bits for component in format.components)


def _joined(*parameters: str | None) -> str:
    return ":".join(part for part in parameters if part)


def _is_encoding_tag(name: str) -> bool:
    plain = name.upper().partition("-")[0]
    return plain in ENCODING_TAGS or plain.startswith("_STATISTICS")

"""The video stream of a file that is written, with its encoder."""

from __future__ import annotations

from functools import cached_property

import av
import numpy as np
from av.codec.context import Flags as CodecFlags
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vs_emtcm.video.conversion import Conversion
from vs_emtcm.video.encoder import EncoderSettings, find_encoder
from vs_emtcm.video.frame_plan import ALPHA_MODE
from vs_emtcm.video.frame_times import FrameTimes
from vs_emtcm.video.rates import counted_rate, encoder_time_base
from vs_emtcm.video.rational import as_fraction
from vs_emtcm.video.reader import VideoReader
from vs_emtcm.video.signalling import MP4_CONTAINERS, says_ratio, says_rotation
from vs_emtcm.video.track_options import track_options

# Tags of a source's video stream that describe its encoding, not its content.
ENCODING_TAGS = frozenset(
    {"DURATION", "ENCODER", "ENCODER_OPTIONS", "BPS", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", ALPHA_MODE}
)
# The name of HEVC in MP4 without which Apple's players refuse it.
HEVC_TAG = "hvc1"

# The places of the horizontal and the vertical translation in a display matrix.
TRANSLATION = (6, 7)

# The longest time between decoding and showing a frame, in seconds; no film has more.
LONGEST_DELAY = 60


class VideoTrack:
    """The video stream that is encoded into a container; creating it adds the stream.

    Args:
        container: the file that is written.
        suffix: the suffix of that file, such as ".mkv".
        reader: the source.
        first: the first upscaled frame; it gives size and colour tags.
        settings: how to encode.
        conversion: what every upscaled frame goes through before it is encoded.

    Raises:
        UsageError: the encoder cannot count frames as fast as the source has them.

    Attributes:
        stream: the stream.
        warnings: what of the source is lost, one sentence each.
    """

    def __init__(
        self,
        container: OutputContainer,
        suffix: str,
        reader: VideoReader,
        first: av.VideoFrame,
        settings: EncoderSettings,
        conversion: Conversion,
    ) -> None:
        self.warnings: list[str] = []
        self._container_name = container.format.name
        self._suffix = suffix
        self._conversion = conversion
        self._codec = find_encoder(settings.codec)
        rate = counted_rate(self._codec, reader.rate)
        options = track_options(
            self._codec, self._container_name, settings, self._hdr_options(reader, settings)
        )
        stream = container.add_stream(settings.codec, rate=rate, options=options)
        assert isinstance(stream, VideoStream)
        self.stream = stream
        stream.width, stream.height = first.width, first.height
        stream.pix_fmt = conversion.pix_fmt
        time_base = encoder_time_base(self._codec, self._container_name, rate, reader.time_base)
        stream.time_base = time_base
        context = stream.codec_context
        context.time_base = time_base
        context.thread_count = settings.threads
        # Without this flag, encoders forget how long the last picture stays.
        context.flags |= CodecFlags.frame_duration
        if self._codec.canonical_name == "hevc" and self._container_name in MP4_CONTAINERS:
            context.codec_tag = HEVC_TAG
        context.color_primaries = first.color_primaries
        context.color_trc = first.color_trc
        context.colorspace, context.color_range = conversion.colorspace, conversion.color_range
        context.chroma_sample_location = conversion.chroma_location
        self._copy_ratio(reader.video)
        self._copy_tags(reader.video)
        self._copy_rotation(reader.video, round(first.width / reader.video.codec_context.width))

    @cached_property
    def times(self) -> FrameTimes:
        """The conversion to the encoder's time base, which is known once the encoder is open."""
        time_base = as_fraction(self.stream.codec_context.time_base)
        assert time_base is not None
        return FrameTimes(time_base)

    @property
    def extradata(self) -> bytes:
        """The encoder's header, which is known once the encoder is open."""
        return self.stream.codec_context.extradata or b""

    def prepared(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return an upscaled frame in the pixel format and with the time with which it is encoded."""
        return self.times(self._conversion(frame))

    def encode(self, frame: av.VideoFrame | None) -> list[Packet[VideoStream]]:
        """Encode a prepared frame, or with None all that the encoder holds back, and return the packets."""
        packets = self.stream.encode(frame)
        for packet in packets:
            base = as_fraction(packet.time_base)
            if packet.pts is None or packet.dts is None or base is None:
                continue
            # In a film of one or two frames, x265 takes its delay from memory that it never wrote.
            if not 0 <= (packet.pts - packet.dts) * base <= LONGEST_DELAY:
                packet.dts = packet.pts
        return packets

    def _hdr_options(self, reader: VideoReader, settings: EncoderSettings) -> dict[str, str]:
        if reader.hdr is None:
            return {}
        options = reader.hdr.encoder_options(self._codec.name)
        if not options:
            self.warnings.append(
                f"static HDR metadata is left out: {settings.codec} does not write it here, "
                "libx264 and libx265 do"
            )
        return options

    def _copy_ratio(self, source: VideoStream) -> None:
        ratio = source.sample_aspect_ratio
        if not ratio:
            return
        self.stream.codec_context.sample_aspect_ratio = ratio
        if ratio != 1 and not says_ratio(self._codec.canonical_name, self._container_name):
            self.warnings.append(
                f"the pixel aspect ratio {ratio.numerator}:{ratio.denominator} is left out: "
                f"{self._codec.name} in a {self._suffix} file does not keep it; .mp4 or --codec libx264 does"
            )

    def _copy_tags(self, source: VideoStream) -> None:
        self.stream.disposition = source.disposition
        tags = {name: value for name, value in source.metadata.items() if not is_encoding_tag(name)}
        self.stream.metadata.update(tags)

    def _copy_rotation(self, source: VideoStream, scale: int) -> None:
        matrix = source.codec_context.coded_side_data.get("display_matrix")
        if matrix is None:
            return
        if says_rotation(self._container_name):
            self.stream.set_display_matrix(scaled_matrix(matrix, scale))
        else:
            self.warnings.append(f"the rotation is left out: a {self._suffix} file cannot hold it")


def scaled_matrix(matrix: bytes, scale: int) -> list[int]:
    """Return a display matrix, nine 32-bit integers in FFmpeg's order, for a picture that was enlarged.

    Its translation is in pixels (16.16 fixed point, ISO/IEC 14496-12, 6.2.2); all else is without a unit.
    """
    numbers: list[int] = np.frombuffer(matrix, np.int32).tolist()
    limits = np.iinfo(np.int32)
    for place in TRANSLATION:
        numbers[place] = min(max(numbers[place] * scale, int(limits.min)), int(limits.max))
    return numbers


def is_encoding_tag(name: str) -> bool:
    """Return whether a tag describes a stream's encoding; mkvmerge appends languages, as in "BPS-eng"."""
    plain = name.upper().partition("-")[0]
    return plain in ENCODING_TAGS or plain.startswith("_STATISTICS")

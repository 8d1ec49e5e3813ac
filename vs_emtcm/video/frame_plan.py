"""How upscaled frames become those that are encoded, and what that loses."""

from __future__ import annotations

from dataclasses import dataclass

import av
from av.codec import Codec

from vs_emtcm.errors import UsageError
from vs_emtcm.video.conversion import Conversion, choose_conversion
from vs_emtcm.video.encoder import EncoderSettings, find_encoder
from vs_emtcm.video.ffmpeg import (
    AVCOL_BT470BG,
    AVCOL_RANGE_FULL,
    AVCOL_RANGE_LIMITED,
    AVCOL_SMPTE170M,
    AVCOL_UNSPECIFIED,
)
from vs_emtcm.video.frames import native_format, nearest_native, sample_bits
from vs_emtcm.video.pix_fmts import choose_pix_fmt, fits_chroma, has_alpha
from vs_emtcm.video.reader import VideoReader
from vs_emtcm.video.signalling import fixed_chroma_location, says_matrix, says_range

# WebM's tag of VP8 or VP9 with transparency, which FFmpeg's own decoders leave out.
ALPHA_MODE = "ALPHA_MODE"


@dataclass(frozen=True, kw_only=True)
class FramePlan:
    """How upscaled frames become those that are encoded; see :func:`plan_frames`.

    Attributes:
        conversion: what every frame goes through; it has the pixel format that is encoded.
        warnings: what is lost, one sentence each.
    """

    conversion: Conversion
    warnings: tuple[str, ...]


def plan_frames(
    container: str, suffix: str, reader: VideoReader, first: av.VideoFrame, settings: EncoderSettings
) -> FramePlan:
    """Choose the pixel format and the conversion of the frames of a video.

    Args:
        container: FFmpeg's name of the container, such as "matroska".
        suffix: the suffix of the file, such as ".mkv".
        reader: the source.
        first: the first upscaled frame; it gives size, pixel format and colour tags.
        settings: how to encode.

    Raises:
        UsageError: the encoder takes no such frames.
    """
    codec = find_encoder(settings.codec)
    warnings: list[str] = []
    pix_fmt = settings.pix_fmt
    if pix_fmt is None:
        pix_fmt = choose_pix_fmt(codec, first.format.name, first.width, first.height)
        warnings += _losses_of_choice(codec, pix_fmt, reader.video.format, first)
    if not fits_chroma(codec, pix_fmt, first.width, first.height):
        raise UsageError(
            f"{codec.name} takes no {first.width}x{first.height} video in {pix_fmt}, only sizes "
            "that its chroma divides; try --pix-fmt yuv444p"
        )
    warnings += _lost_alpha(reader, pix_fmt)
    format = native_format(nearest_native(pix_fmt))
    assert format is not None
    conversion = choose_conversion(
        first,
        pix_fmt,
        range_is_signalled=says_range(codec.canonical_name, container),
        fixed_location=fixed_chroma_location(codec.canonical_name, format.subsampling),
    )
    ranges = first.color_range, conversion.color_range
    if ranges == (AVCOL_RANGE_FULL, AVCOL_RANGE_LIMITED) and not first.format.is_rgb:
        warnings.append(
            f"full range is written as limited range: {codec.name} in a {suffix} file could not "
            "say which it is"
        )
    before, after = reader.video.codec_context.colorspace, conversion.colorspace
    if before == AVCOL_UNSPECIFIED and after in (AVCOL_BT470BG, AVCOL_SMPTE170M):
        warnings.append(_matrix_by_size(codec, container, suffix))
    return FramePlan(conversion=conversion, warnings=tuple(warnings))


def _losses_of_choice(codec: Codec, pix_fmt: str, source: av.VideoFormat, first: av.VideoFrame) -> list[str]:
    """Return what the pixel format that was chosen for the encoder loses, one sentence each."""
    losses = []
    if pix_fmt != choose_pix_fmt(codec, first.format.name, 64, 64):
        losses.append(
            f"{first.width}x{first.height} is written as {pix_fmt}: {codec.name} takes subsampled chroma "
            "at even sizes only, and not every player takes this"
        )
    bits, kept = sample_bits(source), sample_bits(av.VideoFormat(pix_fmt))
    if kept < bits:
        losses.append(
            f"{bits} bits are written as {kept}: {codec.name} takes no more; --codec libx265 or ffv1 may"
        )
    return losses


def _lost_alpha(reader: VideoReader, pix_fmt: str) -> list[str]:
    source = reader.video.format
    tags = {name.upper(): value for name, value in reader.video.metadata.items()}
    if tags.get(ALPHA_MODE) == "1" and not has_alpha(source):
        return ["transparency is left out: FFmpeg's decoder of this video does not give it"]
    if has_alpha(source) and not has_alpha(av.VideoFormat(pix_fmt)):
        return [f"transparency is left out: {pix_fmt} has none, --codec ffv1 --pix-fmt yuva444p keeps it"]
    return []


def _matrix_by_size(codec: Codec, container: str, suffix: str) -> str:
    """Return what becomes of untagged colours, whose matrix players derive from the size of the picture."""
    if says_matrix(codec.canonical_name, container):
        return (
            "the colours are not tagged: the result is tagged as BT.601, which is what players take a "
            "source of this size for; they would take the larger one for BT.709"
        )
    return (
        "the colours are not tagged: players take a source of this size for BT.601 and the larger "
        f"result for BT.709; {codec.name} in a {suffix} file cannot say which, "
        "--codec libx264 can"
    )

"""Encoders: their settings, and the pixel formats, sizes and options that they take."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec import Codec, CodecContext
from av.codec.codec import UnknownCodecError, find_best_pix_fmt_of_list
from av.codec.context import CodecOption, OptionType
from av.video.format import names as pix_fmts

from vs_emtcm.errors import UsageError
from vs_emtcm.video.quality import RATE_OPTIONS, check_crf

DEFAULT_CODEC = "libx264"


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """How the video is encoded.

    Attributes:
        codec: an FFmpeg encoder, such as "libx264", "libx265", "libsvtav1" or "ffv1".
        crf: constant rate factor, or what the encoder of a graphics card has instead; None is 18 where the
            encoder has one.
        preset: the encoder's preset; None is its own default.
        pix_fmt: FFmpeg pixel format; None keeps the source's where the encoder takes it.
        options: more of the encoder's options, (name, value) each; they override all others.
        threads: encoder threads; 0 lets it choose.
    """

    codec: str = DEFAULT_CODEC
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    threads: int = 0


# Formats that encoders list and refuse.
ALPHA_REFUSED = {
    "libx265": frozenset({"yuva420p", "yuva420p10le"}),
    "libvpx-vp9": frozenset({"gbrap", "yuva422p", "yuva444p"}),
}

# They encode whole chroma pixels only.
WHOLE_CHROMA_ENCODERS = frozenset({"libx264", "libx265"})

# Options that hold an encoder's own ones, and those of them that are a quality or a rate.
PARAMETER_LISTS = frozenset({"x264-params", "x264opts", "x265-params"})
INNER_RATE_OPTIONS = frozenset({"crf", "qp", "bitrate"})

# What is decided elsewhere.
FIXED_OPTIONS = {
    "time_base": "follows from the source, whose speed would change; leave it out",
    "video_size": "follows from the source and --scale; leave it out",
    "pixel_format": "is no option of the encoder here; use --pix-fmt",
    "field_order": "is that of upscaled frames, which are progressive; leave it out",
}

# MPEG-1 and MPEG-2 know frame rates and no time base; MPEG-4's time base has 16 bits, of which this is a
# multiple of the usual frame rates.
RATE_ENCODERS = frozenset({"mpeg1video", "mpeg2video"})
# How far, relative to it, a rounded rate lies from the one that is meant: half the step from 23.976 to 24.
ROUNDED = 0.0005
# ISO/IEC 13818-2, table 6-4.
MPEG_RATES = (
    *(Fraction(rate) for rate in (24, 25, 30, 50, 60)),
    *(Fraction(rate * 1000, 1001) for rate in (24, 30, 60)),
)
MPEG4_TICKS = 60_000

# Suffixes of the names of hardware encoders.
HARDWARE = ("_nvenc", "_qsv", "_vaapi", "_amf", "_vulkan", "_v4l2m2m", "_videotoolbox", "_mf")

_X264_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)
PRESETS = {"libx264": _X264_PRESETS, "libx264rgb": _X264_PRESETS, "libx265": _X264_PRESETS}


def check_encoder(settings: EncoderSettings) -> None:
    """Refuse settings that the encoder does not have.

    Raises:
        UsageError: the codec or pixel format is unknown, or it has no such option.
    """
    codec = find_encoder(settings.codec)
    accepted = [f.name for f in codec.video_formats or []]
    if settings.pix_fmt is not None and accepted and settings.pix_fmt not in accepted:
        raise UsageError(
            f"{settings.codec} does not take the pixel format {settings.pix_fmt!r}; "
            f"accepted are {', '.join(accepted)}"
        )
    if settings.pix_fmt is not None and settings.pix_fmt not in pix_fmts:
        raise UsageError(f"pixel format {settings.pix_fmt!r} does not exist; see 'ffmpeg -pix_fmts'")
    options = encoder_options(settings.codec)
    if settings.crf is not None:
        check_crf(settings.codec, codec.name, frozenset(options), settings.crf)
    if settings.preset is not None and "preset" not in options:
        raise UsageError(f"{settings.codec} has no preset; leave --preset out")
    given = {name for name, _ in settings.options}
    rates = rate_options(settings)
    if settings.crf is not None and rates:
        both = " and ".join(sorted(rates))
        raise UsageError(f"--crf and --encoder-option {both} exclude each other; give one of them")
    for name in sorted(given & FIXED_OPTIONS.keys()):
        raise UsageError(f"{name} {FIXED_OPTIONS[name]}")
    unknown = given - set(options) - general_options(settings.codec)
    if unknown:
        raise UsageError(
            f"{settings.codec} has no option {', '.join(sorted(unknown))}; 'ffmpeg -h encoder={codec.name}' "
            "lists those that it has"
        )
    if settings.preset is not None and not _is_known_preset(settings.preset, options["preset"]):
        names = "".join(f", {choice.name}" for choice in options["preset"].choices)
        lowest, highest_preset = int(options["preset"].min), int(options["preset"].max)
        raise UsageError(
            f"{settings.codec} has no preset {settings.preset!r}; accepted are {lowest} to "
            f"{highest_preset}{names}"
        )
    presets = PRESETS.get(codec.name)
    if settings.preset is not None and presets is not None and settings.preset not in presets:
        raise UsageError(
            f"{settings.codec} has no preset {settings.preset!r}; accepted are {', '.join(presets)}"
        )


def rate_options(settings: EncoderSettings) -> frozenset[str]:
    """Of the options given, those for a quality or a rate, inside of an encoder's own parameters as well."""
    found = set()
    for name, value in settings.options:
        inner = {part.partition("=")[0] for part in value.split(":")} if name in PARAMETER_LISTS else set()
        if name in RATE_OPTIONS or inner & INNER_RATE_OPTIONS:
            found.add(name)
    return frozenset(found)


def find_encoder(name: str) -> Codec:
    """The video encoder of this name.

    Raises:
        UsageError: there is none.
    """
    try:
        codec = Codec(name, "w")
    except UnknownCodecError as error:
        raise UsageError(
            f"codec {name!r} is not a known encoder; try libx264, libx265, libsvtav1 or ffv1"
        ) from error
    if codec.type != "video":
        raise UsageError(f"codec {name!r} encodes {codec.type}, not video; try libx264")
    return codec


def encoder_options(name: str) -> dict[str, CodecOption]:
    """The encoder's own options by name."""
    context = CodecContext.create(name, "w")
    return {option.name: option for option in context.supported_options.private}


def general_options(name: str) -> frozenset[str]:
    """Names of the options that all encoders have."""
    return frozenset(option.name for option in CodecContext.create(name, "w").supported_options.generic)


def _is_known_preset(preset: str, option: CodecOption) -> bool:
    """Whether an encoder whose presets are numbers, some of them with names, has this one."""
    if option.type != OptionType.INT or preset in {choice.name for choice in option.choices}:
        return True
    return preset.removeprefix("-").isdecimal() and option.min <= int(preset) <= option.max


def has_alpha(format: av.VideoFormat) -> bool:
    """Whether one of its components is opacity."""
    return any(component.is_alpha for component in format.components)


def fits_chroma(codec: Codec, pix_fmt: str, width: int, height: int) -> bool:
    """Whether the encoder takes pictures of this size in this pixel format."""
    if codec.name not in WHOLE_CHROMA_ENCODERS:
        return True
    size = 64
    chroma = av.VideoFormat(pix_fmt, size, size).components[1:]
    return all(width % (size // c.width) == 0 == height % (size // c.height) for c in chroma)


def counted_rate(codec: Codec, rate: Fraction) -> Fraction:
    """The rate at which an encoder that counts frames can count those of this average rate.

    Raises:
        UsageError: it cannot count as fast.
    """
    if codec.name not in RATE_ENCODERS:
        return rate
    nearest = min(MPEG_RATES, key=lambda each: abs(each - rate))
    if abs(nearest / rate - 1) < ROUNDED:
        return nearest
    if rate > max(MPEG_RATES):
        raise UsageError(
            f"{codec.name} counts {max(MPEG_RATES)} frames a second at most, and the source has "
            f"{float(rate):g}; use another --codec"
        )
    # Every frame wants a count of its own.
    return min(each for each in MPEG_RATES if each > rate)


def choose_pix_fmt(codec: Codec, source: str, width: int, height: int) -> str:
    """The encoder's pixel format that loses least of ``source`` at this size.

    Raises:
        UsageError: it has none that is like it.
    """
    source = source.replace("yuvj", "yuv")
    alpha = has_alpha(av.VideoFormat(source))
    refused = ALPHA_REFUSED.get(codec.name, frozenset())
    formats = [f.name for f in codec.video_formats or [] if f.name not in refused]
    accepted = [name for name in formats if fits_chroma(codec, name, width, height)]
    if not formats or source in accepted:
        return source
    best, _ = find_best_pix_fmt_of_list(accepted, source, has_alpha=alpha)
    if best is None:
        raise UsageError(f"{codec.name} takes no pixel format near {source}; choose another codec")
    return str(best.name).replace("yuvj", "yuv")

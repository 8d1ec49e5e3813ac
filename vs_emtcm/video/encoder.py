"""Encoders: the settings that users give, and whether an encoder takes them."""

from __future__ import annotations

from dataclasses import dataclass

from av.codec import Codec, CodecContext
from av.codec.codec import UnknownCodecError
from av.codec.context import CodecOption, OptionType
from av.video.format import names as pix_fmts

from vs_emtcm.errors import UsageError
from vs_emtcm.video.quality import RATE_OPTIONS, check_crf

DEFAULT_CODEC = "libx264"

# Options whose value is a list of the encoder's own parameters, such as "ref=4:crf=20".
PARAMETER_LISTS = frozenset({"x264-params", "x264opts", "x265-params"})
# Parameters in such a list that set a quality or a bit rate.
INNER_RATE_OPTIONS = frozenset({"crf", "qp", "bitrate"})

# Options that are refused, with the rest of the sentence that says why.
FIXED_OPTIONS = {
    "time_base": "follows from the source, whose speed would change; leave it out",
    "video_size": "follows from the source and --scale; leave it out",
    "pixel_format": "is no option of the encoder here; use --pix-fmt",
    "field_order": "is that of upscaled frames, which are progressive; leave it out",
}

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
# Presets of the encoders that do not list them among their options.
PRESETS = {"libx264": _X264_PRESETS, "libx264rgb": _X264_PRESETS, "libx265": _X264_PRESETS}


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """How a video is encoded.

    Attributes:
        codec: an FFmpeg encoder, such as "libx264", "libx265", "libsvtav1" or "ffv1".
        crf: constant rate factor, or the corresponding quality of a hardware encoder; None is 18 where the
            encoder has one.
        preset: the encoder's preset; None is the encoder's default.
        pix_fmt: FFmpeg pixel format; None keeps the source's where the encoder takes it.
        options: more options of the encoder, (name, value) each; they override all others.
        threads: encoder threads; 0 lets the encoder choose.
    """

    codec: str = DEFAULT_CODEC
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    threads: int = 0


def check_encoder(settings: EncoderSettings) -> None:
    """Refuse settings that the encoder does not have.

    Raises:
        UsageError: the codec, the pixel format, the preset or an option is unknown or not accepted, or two
            settings exclude each other.
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
    """Return the names of the given options that set a quality or a bit rate, also in a parameter list."""
    found = set()
    for name, value in settings.options:
        inner = {part.partition("=")[0] for part in value.split(":")} if name in PARAMETER_LISTS else set()
        if name in RATE_OPTIONS or inner & INNER_RATE_OPTIONS:
            found.add(name)
    return frozenset(found)


def find_encoder(name: str) -> Codec:
    """Return the video encoder of this name.

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
    """Return the encoder's private options by name, without those that all encoders have."""
    context = CodecContext.create(name, "w")
    return {option.name: option for option in context.supported_options.private}


def general_options(name: str) -> frozenset[str]:
    """Return the names of the options that all encoders have."""
    return frozenset(option.name for option in CodecContext.create(name, "w").supported_options.generic)


def _is_known_preset(preset: str, option: CodecOption) -> bool:
    """Return whether an encoder with numbered presets has this one, by number or by name; else True."""
    if option.type != OptionType.INT or preset in {choice.name for choice in option.choices}:
        return True
    return preset.removeprefix("-").isdecimal() and option.min <= int(preset) <= option.max

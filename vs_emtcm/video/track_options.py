"""The options that an encoder is opened with."""

from __future__ import annotations

from av.codec import Codec

from vs_emtcm.video.encoder import PARAMETER_LISTS, EncoderSettings, encoder_options, rate_options
from vs_emtcm.video.quality import quality_options


def track_options(
    codec: Codec, container: str, settings: EncoderSettings, hdr: dict[str, str]
) -> dict[str, str]:
    """Return the options of an encoder: those that every film needs, and over them those of the user.

    Args:
        codec: the encoder.
        container: FFmpeg's name of the container, such as "matroska".
        settings: how to encode.
        hdr: the options for static HDR metadata, if there are any.
    """
    known = frozenset(encoder_options(codec.name))
    options = {} if rate_options(settings) else quality_options(codec.name, known, settings.crf)
    if settings.preset is not None:
        options["preset"] = settings.preset
    if container == "avi":
        # AVI has no presentation times, and so no B frames.
        options["bf"] = "0"
    if codec.name == "mjpeg":
        # JPEG has no limited range; FFmpeg then writes the range into a comment, which it reads again.
        options["strict"] = "unofficial"
    options |= hdr
    if codec.name == "libx265":
        # x265 reports to the terminal itself, past FFmpeg.
        options["x265-params"] = _joined(options.get("x265-params"), "log-level=error")
    for name, value in settings.options:
        if name in PARAMETER_LISTS:
            value = _joined(options.get(name), value)
        elif name == "flags" and value.startswith(("+", "-")):
            value = options.get(name, "") + value
        options[name] = value
    return options


def _joined(*parameters: str | None) -> str:
    return ":".join(part for part in parameters if part)

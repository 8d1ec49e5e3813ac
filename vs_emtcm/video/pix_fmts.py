"""Pixel formats that encoders take."""

from __future__ import annotations

import av
from av.codec import Codec
from av.codec.codec import find_best_pix_fmt_of_list

from vs_emtcm.errors import UsageError

# Formats with alpha that encoders list but refuse, by encoder.
ALPHA_REFUSED = {
    "libx265": frozenset({"yuva420p", "yuva420p10le"}),
    "libvpx-vp9": frozenset({"gbrap", "yuva422p", "yuva444p"}),
}
# Encoders that take no picture whose size the chroma subsampling does not divide.
WHOLE_CHROMA_ENCODERS = frozenset({"libx264", "libx265"})


def choose_pix_fmt(codec: Codec, source: str, width: int, height: int) -> str:
    """Return the encoder's pixel format that loses least of the format ``source`` at this size.

    Raises:
        UsageError: the encoder has none that is similar.
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


def fits_chroma(codec: Codec, pix_fmt: str, width: int, height: int) -> bool:
    """Return whether the encoder takes pictures of this size in this pixel format."""
    if codec.name not in WHOLE_CHROMA_ENCODERS:
        return True
    size = 64
    chroma = av.VideoFormat(pix_fmt, size, size).components[1:]
    return all(width % (size // c.width) == 0 == height % (size // c.height) for c in chroma)


def has_alpha(format: av.VideoFormat) -> bool:
    """Return whether a pixel format has an alpha component; a palette does not count."""
    return any(component.is_alpha for component in format.components)

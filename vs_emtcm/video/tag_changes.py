"""Changes of colour tags and pixel aspect ratio within a file, of which only the first values are kept."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av

from vs_emtcm.video.ffmpeg import AVCOL_RANGE_UNSPECIFIED, AVCOL_UNSPECIFIED

COLOURS = "the colour tags change within the file; those of its beginning are kept"
RATIO = "the pixel aspect ratio changes within the file; that of its beginning is kept"

# Colour tags of a frame, and the value of each that says nothing.
UNSPECIFIED = {
    "color_range": AVCOL_RANGE_UNSPECIFIED,
    "colorspace": AVCOL_UNSPECIFIED,
    "color_primaries": AVCOL_UNSPECIFIED,
    "color_trc": AVCOL_UNSPECIFIED,
}


class TagChanges:
    """Compares the tags of frames with the first that a file has; a missing tag is no change."""

    def __init__(self) -> None:
        self._first: dict[str, int | Fraction] = {}

    def find(self, frame: av.VideoFrame, ratio: Fraction | None) -> Iterator[str]:
        """Yield a sentence for every kind of tag that differs; one may come more than once.

        Args:
            frame: a decoded frame.
            ratio: the pixel aspect ratio of that frame, or None if it is missing.
        """
        for name, unspecified in UNSPECIFIED.items():
            tag = getattr(frame, name)
            if tag != unspecified and self._first.setdefault(name, tag) != tag:
                yield COLOURS
        if ratio is not None and self._first.setdefault("ratio", ratio) != ratio:
            yield RATIO

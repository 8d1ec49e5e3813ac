"""FFmpeg's numbers: of colours (which are those of H.273), of times and of containers.

PyAV has names for some of them; its ``Colorspace`` are swscale's, which are others.
"""

from __future__ import annotations

# AVColorRange.
AVCOL_RANGE_UNSPECIFIED, AVCOL_RANGE_LIMITED, AVCOL_RANGE_FULL = 0, 1, 2
# AVColorSpace, the matrix.
AVCOL_SPC_RGB, AVCOL_SPC_BT709 = 0, 1
# Matrix, primaries and transfer alike.
AVCOL_UNSPECIFIED = 2
# Matrix and primaries alike.
AVCOL_BT470BG, AVCOL_SMPTE170M, AVCOL_BT2020 = 5, 6, 9
# AVChromaLocation, the types of H.273 and one more.
AVCHROMA_LOC_UNSPECIFIED, AVCHROMA_LOC_LEFT, AVCHROMA_LOC_CENTER = 0, 1, 2
# AV_NOPTS_VALUE, a time that is not known.
NO_TIME = -(1 << 63)
# Of a container: equal decoding times may follow each other.
AVFMT_TS_NONSTRICT = 0x20000

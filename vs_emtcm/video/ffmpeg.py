"""Constants of FFmpeg for colours (those of ITU-T H.273), fields, times and containers.

PyAV has names for some of them; its ``Colorspace``, however, has the numbers of swscale, which are others.
"""

from __future__ import annotations

# AVColorRange.
AVCOL_RANGE_UNSPECIFIED = 0
AVCOL_RANGE_LIMITED = 1
AVCOL_RANGE_FULL = 2

# AVColorSpace: the matrix.
AVCOL_SPC_RGB = 0
AVCOL_SPC_BT709 = 1

# AVColorSpace, AVColorPrimaries and AVColorTransferCharacteristic, which share this number.
AVCOL_UNSPECIFIED = 2

# AVColorSpace and AVColorPrimaries, which share these numbers: BT.601 with 625 and with 525 lines.
AVCOL_BT470BG = 5
AVCOL_SMPTE170M = 6
# The same of BT.2020; as a matrix, that with non-constant luminance.
AVCOL_BT2020 = 9

# AVChromaLocation: the type of H.273 plus one.
AVCHROMA_LOC_UNSPECIFIED = 0
AVCHROMA_LOC_LEFT = 1
AVCHROMA_LOC_CENTER = 2

# AVFieldOrder: the others are kinds of interlaced video.
AV_FIELD_UNKNOWN = 0
AV_FIELD_PROGRESSIVE = 1

# AV_NOPTS_VALUE: a time that is not known.
NO_TIME = -(1 << 63)

# Flag of a container format: it has no times, as elementary streams; FFmpeg makes some up.
AVFMT_NOTIMESTAMPS = 0x80
# Flag of a container format: packets may have equal decoding times.
AVFMT_TS_NONSTRICT = 0x20000

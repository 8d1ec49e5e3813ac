"""Dolby Vision whose pictures ordinary decoders cannot show."""

from __future__ import annotations

from pathlib import Path

from av.video.stream import VideoStream

from vs_emtcm.errors import UsageError

# Places of two bytes in FFmpeg's AVDOVIDecoderConfigurationRecord.
PROFILE = 2
COMPATIBILITY = 7
# Profiles of HEVC, AV1 and MV-HEVC whose colours are IPTPQc2 if they are compatible with no other signal
# (Dolby Vision Profiles and Levels).
IPT_PROFILES = frozenset({5, 10, 20})
INCOMPATIBLE = 0


def refuse_incompatible(path: Path, video: VideoStream) -> None:
    """Refuse Dolby Vision without a base layer that other players show as it is.

    Raises:
        UsageError: the configuration record of the file says that it has none.
    """
    record = video.codec_context.coded_side_data.get("dovi_conf", b"")
    if len(record) <= COMPATIBILITY:
        return
    profile = record[PROFILE]
    if profile in IPT_PROFILES and record[COMPATIBILITY] == INCOMPATIBLE:
        raise UsageError(
            f"{path} is Dolby Vision of profile {profile}, which would turn green and purple, as its "
            "metadata cannot be kept; convert it to HDR10 or SDR first, for example with FFmpeg's libplacebo"
        )

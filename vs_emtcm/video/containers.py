"""Containers of video files, and the codecs that they hold."""

from __future__ import annotations

import os
from pathlib import Path

import av
from av.codec import Codec
from av.container import OutputContainer
from av.error import FFmpegError

from vs_emtcm.errors import UsageError, reason
from vs_emtcm.video.encoder import find_encoder

# Suffixes that error messages propose, and FFmpeg's names of their containers.
CONTAINERS = {".mkv": "matroska", ".mov": "mov", ".avi": "avi", ".nut": "nut"}
# Muxers that do not list the codecs they hold; one that they lack shows when the header is written.
WITHOUT_CODEC_LIST = frozenset({"mpeg", "mxf"})
# Codecs that MPEG-TS knows; it takes all others as streams of private data, which players do not show.
MPEGTS_CODECS = frozenset(
    {
        *("h264", "hevc", "vvc", "mpeg1video", "mpeg2video", "mpeg4", "cavs", "dirac", "vc1"),
        *("mp1", "mp2", "mp3", "aac", "aac_latm", "ac3", "eac3", "dts", "truehd", "opus", "s302m"),
        *("dvb_subtitle", "dvb_teletext"),
    }
)


def open_container(path: Path) -> OutputContainer:
    """Open a file for writing; the container follows from the suffix.

    Raises:
        UsageError: there is no container of this suffix, or the file cannot be created.
    """
    try:
        # How long audio waits for frames that the encoder holds back, in microseconds of the film.
        return av.open(f"file:{path}", "w", container_options={"max_interleave_delta": "60000000"})
    except ValueError as error:
        raise UsageError(f"no video container has the suffix {path.suffix!r}; use .mkv or .mp4") from error
    except (FFmpegError, OSError) as error:
        raise UsageError(f"{path.parent} cannot be written to: {reason(error)}") from error


def check_container(path: Path, codec: str) -> None:
    """Refuse an output whose suffix stands for no container, or for one that cannot hold the codec.

    Args:
        path: the output; no file is created.
        codec: FFmpeg's name of the encoder.

    Raises:
        UsageError: the suffix is refused, or the file cannot be created.
    """
    with open_container(path) as container:
        if container.format.no_file:
            raise UsageError(f"a {path.suffix} output is more than one file; use .mkv or .mp4")
        check_container_holds(container, path.suffix, find_encoder(codec))


def check_container_holds(container: OutputContainer, suffix: str, codec: Codec) -> None:
    """Refuse a container that cannot hold the codec.

    Args:
        container: the file that is written.
        suffix: the suffix of that file, such as ".mkv".
        codec: an encoder, or the decoder of a stream that is copied.

    Raises:
        UsageError: the container cannot hold it; the message names others that can.
    """
    if not can_hold(container, codec):
        others = other_suffixes(suffix, codec)
        raise UsageError(
            f"a {suffix} file cannot hold {codec.canonical_name} video; use {others}another --codec"
        )


def can_hold(container: OutputContainer, codec: Codec) -> bool:
    """Return whether a container holds streams of a codec, given as an encoder or a decoder."""
    if container.format.name == "mpegts":
        return codec.canonical_name in MPEGTS_CODECS
    if container.format.name in WITHOUT_CODEC_LIST and codec.type != "subtitle":
        return True
    # PyAV lists implementations: "dca" and "pgssub" for what FFmpeg calls "dts" and "hdmv_pgs_subtitle".
    return not container.supported_codecs.isdisjoint({codec.name, codec.canonical_name})


def other_suffixes(suffix: str, codec: Codec) -> str:
    """Return the suffixes of other containers that hold the codec, each followed by " or "."""
    found = []
    for other, name in CONTAINERS.items():
        with av.open(os.devnull, "w", format=name) as container:
            if other != suffix and can_hold(container, codec):
                found.append(f"{other} or ")
    return "".join(found)

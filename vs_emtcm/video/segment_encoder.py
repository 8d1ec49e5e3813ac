"""Encoder of one segment of a video."""

from __future__ import annotations

from pathlib import Path

import av

from vs_emtcm.video.containers import open_container
from vs_emtcm.video.conversion import Conversion
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.rational import as_fraction
from vs_emtcm.video.reader import VideoReader
from vs_emtcm.video.segment import Segment, SegmentFile
from vs_emtcm.video.track import VideoTrack


class SegmentEncoder:
    """Encodes the frames of one segment into its file, independently of all others.

    Args:
        path: the segment's file.
        target: the video that is being made; some options of the encoder follow from its container.
        reader, first, settings, conversion: see :class:`vs_emtcm.video.track.VideoTrack`.

    Raises:
        OSError: the file cannot be written; so do the methods.

    Attributes:
        extradata: the encoder's header.
    """

    def __init__(
        self,
        path: Path,
        target: Path,
        reader: VideoReader,
        first: av.VideoFrame,
        settings: EncoderSettings,
        conversion: Conversion,
    ) -> None:
        # The container makes an encoder for the target. No header is ever written, and so no file either.
        self._container = open_container(target)
        try:
            self._track = VideoTrack(self._container, target.suffix, reader, first, settings, conversion)
            context = self._track.stream.codec_context
            context.open()
            self.extradata = self._track.extradata
            time_base = as_fraction(context.time_base)
            assert time_base is not None
            self._file = SegmentFile(path, time_base, self.extradata)
        except BaseException:
            self._container.close()
            raise

    def write(self, frame: av.VideoFrame) -> None:
        """Encode a frame that was converted and has its time in the encoder's time base."""
        for packet in self._track.encode(frame):
            self._file.write(packet)

    def finish(self, frames: int, last_pts: int) -> Segment:
        """Encode what is left and complete the file.

        Args:
            frames: the number of frames that were written.
            last_pts: the presentation time of the last of them.
        """
        for packet in self._track.encode(None):
            self._file.write(packet)
        self._container.close()
        return self._file.finish(frames, last_pts)

    def abandon(self) -> None:
        """Remove the file as it is, after a failure."""
        self._container.close()
        self._file.abandon()

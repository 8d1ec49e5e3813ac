"""What the header of a video file says: frame rate, number of frames, and where the video ends."""

from __future__ import annotations

from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vs_emtcm.video.ffmpeg import AVFMT_NOTIMESTAMPS
from vs_emtcm.video.rational import as_fraction

# Frames per second where they are unknown, as FFmpeg takes them.
DEFAULT_RATE = Fraction(25)
# The relative difference between FFmpeg's average and guessed frame rate up to which the guess is right.
CLOSE_RATES = 0.01
# An average rate above this, in frames per second, is a time base and no rate.
HIGHEST_RATE = 300
# Headers round durations, and count audio that outlasts the video: a file is called truncated only if more
# than this is missing, in seconds or in frames, whichever is longer.
TOLERATED_SECONDS = 0.2
TOLERATED_FRAMES = 3


def frame_rate(video: VideoStream) -> Fraction:
    """Return the frames per second of a video stream: the average if they vary, 25 if they are unknown.

    Not for an elementary stream, see :func:`elementary_rate`.
    """
    average, guessed = as_fraction(video.average_rate), as_fraction(video.guessed_rate)
    # With rounded times, the average of a film with a constant rate is a little beside that rate.
    if average and guessed and abs(average / guessed - 1) < CLOSE_RATES:
        return guessed
    return average or guessed or DEFAULT_RATE


def elementary_rate(video: VideoStream) -> Fraction | None:
    """Return the frames per second in the headers of an elementary stream, or None if they do not say.

    FFmpeg's average is its default of 25 there, whatever the headers say.
    """
    return as_fraction(video.guessed_rate) if as_fraction(video.codec_context.framerate) else None


def frame_count(container: InputContainer, video: VideoStream, rate: Fraction, start: Fraction) -> int | None:
    """Return the number of frames that the header gives or implies, or None.

    Args:
        container: the open file.
        video: its video stream.
        rate: frames per second.
        start: the time at which the file begins, in seconds.
    """
    if video.frames:
        return video.frames
    # A tag of mkvmerge.
    counted = video.metadata.get("NUMBER_OF_FRAMES", "")
    if counted.isdecimal():
        return int(counted)
    if rate > HIGHEST_RATE or is_elementary(container):
        return None
    end = _video_end(container, video)
    if end is not None:
        return max(1, round((end - float(start)) * rate))
    if container.duration:
        return max(1, round(Fraction(container.duration, av.time_base) * rate))
    return None


def missing_seconds(
    container: InputContainer,
    video: VideoStream,
    rate: Fraction,
    start: Fraction,
    *,
    video_end: float,
    latest_end: float,
) -> float | None:
    """Return how much of the duration in the header was not found, in seconds, or None if it is tolerable.

    Args:
        container, video, rate, start: see :func:`frame_count`.
        video_end: the end of the last packet of the video in seconds, counted from ``start``.
        latest_end: the end of the last packet of video and audio.
    """
    if is_elementary(container):
        return None
    end = _video_end(container, video)
    if end is not None:
        missing = end - float(start) - video_end
    elif container.duration and not container.streams.subtitles:
        # The duration of the file counts every stream, and the last subtitle may outlast the film.
        begins = (container.start_time or 0) / av.time_base - float(start)
        missing = begins + container.duration / av.time_base - latest_end
    else:
        return None
    return missing if missing > max(TOLERATED_SECONDS, TOLERATED_FRAMES / float(rate)) else None


def is_avi(container: InputContainer) -> bool:
    """Return whether a file is AVI, which numbers its frames instead of giving them times."""
    return container.format.name == "avi"


def is_elementary(container: InputContainer) -> bool:
    """Return whether a file is an elementary stream, such as .264 or .m2v, without a container.

    It has neither times nor a duration: FFmpeg makes up both, the duration from the bit rate.
    """
    return bool(container.format.flags & AVFMT_NOTIMESTAMPS)


def _video_end(container: InputContainer, video: VideoStream) -> float | None:
    """Return where the video ends by its header, in seconds, or None if the header does not say."""
    if video.duration:
        length = video.duration
        if is_avi(container):
            # FFmpeg shortens the duration of a truncated AVI; its header still counts the frames.
            length = max(length, video.frames)
        time_base = as_fraction(video.time_base) or 1 / frame_rate(video)
        return float(((video.start_time or 0) + length) * time_base)
    # Matroska has no field for it; muxers write the end as a tag "00:01:02.345000000".
    parts = video.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = parts
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None

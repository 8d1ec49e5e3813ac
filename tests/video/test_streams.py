"""What a file holds besides its frames comes along, or is said to be left out."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from tests.material import codes
from tests.video.clips import FAST
from vs_emtcm import Upscaler, UsageError
from vs_emtcm.video import VideoSettings, upscale_video


def copied(film, container):
    """The streams of a file in another one, by number; :func:`fill` gives them their packets."""
    return [container.add_stream_from_template(stream) for stream in film.streams]


def fill(film, container, streams):
    for packet in film.demux():
        if packet.size:
            packet.stream = streams[packet.stream_index]
            container.mux(packet)


def test_tracks_stay_in_their_language_and_their_role(make_clip, tmp_path):
    source = tmp_path / "in.mkv"
    with av.open(str(make_clip(audio=True, frames=8))) as film, av.open(str(source), "w") as container:
        video, sound = copied(film, container)
        video.metadata["language"], sound.metadata["language"] = "jpn", "ger"
        video.disposition, sound.disposition = Disposition.forced, Disposition.comment
        fill(film, container, [video, sound])
    for settings in (FAST, VideoSettings(encoder=FAST.encoder, resume=True)):
        target = tmp_path / f"{settings.resume}.mkv"
        upscale_video(source, target, Upscaler(2, stages=1), settings)
        with av.open(str(source)) as before, av.open(str(target)) as after:
            roles = [[s.disposition & ~Disposition.default for s in f.streams] for f in (before, after)]
            assert roles[0] == roles[1] == [Disposition.forced, Disposition.comment]
            assert [stream.metadata["language"] for stream in after.streams] == ["jpn", "ger"]


def test_a_font_beside_the_film_goes_into_matroska_alone(make_clip, tmp_path):
    source, font = tmp_path / "in.mkv", bytes(range(256))
    with av.open(str(make_clip())) as film, av.open(str(source), "w") as container:
        streams = copied(film, container)
        container.add_attachment("Title.ttf", "font/ttf", font)
        fill(film, container, streams)
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert report.warnings == ()
    with av.open(str(tmp_path / "out.mkv")) as container:
        (attachment,) = container.streams.attachments
        assert (attachment.name, attachment.mimetype, attachment.data) == ("Title.ttf", "font/ttf", font)
    report = upscale_video(source, tmp_path / "out.mp4", Upscaler(2, stages=1), FAST)
    assert report.warnings == ("attachment 1 is left out: only .mkv can hold it",)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize("begins", [0, 3600])
def test_chapters_begin_where_they_did_in_the_film(make_clip, tmp_path, suffix, begins):
    source = tmp_path / "in.mkv"
    clip = make_clip(pts=[1000 * begins + 40 * n for n in range(6)], time_base=Fraction(1, 1000))
    with av.open(str(clip)) as film, av.open(str(source), "w") as container:
        streams = copied(film, container)
        base = Fraction(1, 1000)
        starts = [1000 * begins, 1000 * begins + 120]
        container.set_chapters(
            [
                {"id": n + 1, "start": t, "end": t + 120, "time_base": base, "metadata": {"title": f"{n}"}}
                for n, t in enumerate(starts)
            ]
        )
        fill(film, container, streams)
    report = upscale_video(source, tmp_path / f"out.{suffix}", Upscaler(2, stages=1), FAST)
    assert report.warnings == ()
    with av.open(str(tmp_path / f"out.{suffix}")) as container:
        chapters = container.chapters()
        assert [c["start"] * c["time_base"] for c in chapters] == [0, Fraction(120, 1000)]
        assert [c["end"] * c["time_base"] for c in chapters] == [Fraction(120, 1000), Fraction(240, 1000)]
        assert [c["metadata"]["title"] for c in chapters] == ["0", "1"]
    # MP4 has them in a stream as well, which is not lost with it.
    report = upscale_video(tmp_path / f"out.{suffix}", tmp_path / "again.mkv", Upscaler(2, stages=1), FAST)
    assert report.warnings == ()
    with av.open(str(tmp_path / "again.mkv")) as container:
        assert [c["metadata"]["title"] for c in container.chapters()] == ["0", "1"]


def test_what_a_container_says_of_itself_is_not_copied_into_another(make_clip, tmp_path):
    source = tmp_path / "in.mp4"
    with av.open(str(make_clip())) as film, av.open(str(source), "w") as container:
        streams = copied(film, container)
        container.metadata["title"] = "A film"
        fill(film, container, streams)
    upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        assert {"major_brand", "compatible_brands"} < before.metadata.keys()
        assert {name.lower() for name in after.metadata} == {"title", "encoder"}


def test_streams_of_data_are_left_out_and_named(make_clip, tmp_path):
    source = tmp_path / "in.ts"
    with av.open(str(make_clip())) as film, av.open(str(source), "w") as container:
        streams = copied(film, container)
        data = container.add_data_stream("klv")
        fill(film, container, streams)
        packet = av.Packet(b"position")
        packet.stream, packet.pts, packet.dts, packet.time_base = data, 0, 0, Fraction(1, 90_000)
        container.mux(packet)
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert report.warnings == ("data stream 1 (klv) is left out",)


def with_cover(film_path, target, first):
    """The film in MP4 with a cover picture, which may be its first stream."""
    cover = io.BytesIO()
    Image.fromarray(codes(16, 16)).save(cover, "PNG")
    with av.open(str(film_path)) as film, av.open(str(target), "w") as container:

        def add_cover():
            picture = container.add_stream("png")
            picture.width, picture.height, picture.pix_fmt = 16, 16, "gray"
            picture.disposition = Disposition.attached_pic
            return picture

        picture = add_cover() if first else None
        (video,) = copied(film, container)
        picture = picture or add_cover()
        packet = av.Packet(cover.getvalue())
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = picture, 0, 0, True
        container.mux(packet)
        fill(film, container, [video])
    return cover.getvalue()


@pytest.mark.parametrize("first", [True, False])
def test_a_cover_picture_is_no_film_and_stays_in_mp4(make_clip, tmp_path, first):
    source = tmp_path / "in.mp4"
    cover = with_cover(make_clip("plain.mp4"), source, first)
    report = upscale_video(source, tmp_path / "out.mp4", Upscaler(2, stages=1), FAST)
    assert (report.frames, report.size, report.warnings) == (6, (96, 64), ())
    with av.open(str(tmp_path / "out.mp4")) as container:
        (picture,) = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
        assert [bytes(p) for p in container.demux(picture) if p.size] == [cover]
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert report.frames == 6
    (warning,) = report.warnings
    assert warning.startswith("cover picture ")
    assert warning.endswith(" is left out: only .mp4 keeps it")


def test_a_cover_picture_alone_is_no_video(tmp_path):
    source = tmp_path / "song.mp4"
    with av.open(str(source), "w") as container:
        sound = container.add_stream("aac", rate=48000)
        picture = container.add_stream("png")
        picture.width, picture.height, picture.pix_fmt = 16, 16, "gray"
        picture.disposition = Disposition.attached_pic
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        silence.sample_rate = 48000
        container.mux(picture.encode(av.VideoFrame(16, 16, "gray")))
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    with pytest.raises(UsageError, match=r"song\.mp4 has no video stream"):
        upscale_video(source, tmp_path / "out.mp4", Upscaler(2, stages=1), FAST)


def test_of_two_videos_one_is_upscaled_and_the_other_is_named(make_clip, tmp_path):
    source = tmp_path / "in.mkv"
    with av.open(str(make_clip())) as film, av.open(str(source), "w") as container:
        streams = [container.add_stream_from_template(film.streams.video[0]) for _ in range(2)]
        for packet in film.demux():
            if packet.size:
                packet.stream = streams[0]
                container.mux(packet)
    report = upscale_video(source, tmp_path / "out.mkv", Upscaler(2, stages=1), FAST)
    assert report.warnings == ("video stream 1 is left out: one is upscaled",)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert len(container.streams) == 1

"""Fixtures that tests share: clips and files made on the spot."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import settings

from tests.material import codes

# A slow or busy machine is no failure.
settings.register_profile("vs-emtcm", deadline=None)
settings.load_profile("vs-emtcm")

MakeClip = Callable[..., Path]


@pytest.fixture
def postscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PostScript under the name of a picture; to start another program for it is an error."""

    def start(*_args: object, **_options: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.check_call", start)
    monkeypatch.setattr("shutil.which", lambda name: name)
    path = tmp_path / "in.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n")
    return path


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """A function that encodes a small clip and returns its path."""

    def make(
        name: str = "clip.mkv",
        *,
        frames: int = 6,
        width: int = 48,
        height: int = 32,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        color_range: int = 0,
        ratio: Fraction | None = None,
        audio: bool = False,
        pts: list[int] | None = None,
        time_base: Fraction = Fraction(1, 25),
        interlaced: bool = False,
        container_options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        options = {"flags": "+ildct+ilme", "top": "1"} if interlaced else {}
        with av.open(str(path), "w", options=container_options or {}) as container:
            video = container.add_stream(codec, rate=25, options=options)
            assert isinstance(video, av.VideoStream)
            video.width, video.height, video.pix_fmt = width, height, pix_fmt
            video.codec_context.time_base = time_base
            video.codec_context.color_range = color_range
            if ratio is not None:
                video.codec_context.sample_aspect_ratio = ratio
            sound = container.add_stream("aac", rate=48000) if audio else None
            container.start_encoding()
            for i in range(frames):
                frame = av.VideoFrame(width, height, pix_fmt)
                for plane in frame.planes:
                    samples = np.frombuffer(plane, np.uint8)
                    samples[:] = codes(1, samples.size, seed=i)[0]
                if "10" in pix_fmt:
                    for plane in frame.planes:
                        np.frombuffer(plane, np.uint16)[:] &= 1023
                frame.pts = i if pts is None else pts[i]
                frame.time_base = time_base
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            if sound is not None:
                assert isinstance(sound, av.AudioStream)
                tone = np.sin(np.arange(48000 * frames // 25) / 20).astype(np.float32)[None]
                for start in range(0, tone.shape[1] - 1023, 1024):
                    block = av.AudioFrame.from_ndarray(
                        np.repeat(tone[:, start : start + 1024], 2, axis=0), "fltp", "stereo"
                    )
                    block.sample_rate, block.pts = 48000, start
                    container.mux(sound.encode(block))
                container.mux(sound.encode(None))
        return path

    return make


# linux/capability.h: version 3, two words of three sets each; what lets root read and write everywhere.
CAPABILITY_VERSION = 0x20080522
OVERRIDES = 1 << 1 | 1 << 2


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that can be read but not written to, by root neither."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    before = sets[0]
    sets[0] &= ~OVERRIDES
    assert libc.capset(header, sets) == 0
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    yield folder
    folder.chmod(0o700)
    sets[0] = before
    assert libc.capset(header, sets) == 0

"""The examples do what they say."""

import runpy
import subprocess
import sys

import pytest
import vapoursynth as vs
from PIL import Image

from vs_emtcm.filter import emtcm


class Core:
    """VapourSynth's core with a BestSource that gives one clip."""

    def __init__(self, clip):
        self.core = vs.core
        self.bs = self
        self.clip = clip
        self.asked = []

    def VideoSource(self, source, **_):  # noqa: N802
        self.asked.append(source)
        return self.clip

    def __getattr__(self, name):
        return getattr(self.core, name)


def test_the_script_takes_the_filters_settings(monkeypatch, pytestconfig):
    clip = vs.core.std.BlankClip(width=32, height=24, format=vs.YUV420P8, length=2, keep=True)
    core = Core(clip)
    monkeypatch.setattr(vs, "core", core)
    given = {"scale": b"3", "stages": "1", "tile": "16", "device": "cpu", "device_index": "0", "lanes": "1"}
    given = {name: value.decode() if isinstance(value, bytes) else value for name, value in given.items()}
    path = pytestconfig.rootpath / "examples" / "upscale.py"
    names = runpy.run_path(str(path), init_globals={"source": "film.mkv", **given})
    assert core.asked == ["film.mkv"]
    assert names["settings"] == {
        **{name: int(value) for name, value in given.items() if value.isdecimal()},
        "device": "cpu",
    }
    assert (names["clip"].width, names["clip"].height) == (96, 72)
    expected = emtcm(clip, 3, stages=1, device="cpu").get_frame(0)
    with names["clip"].get_frame(0) as frame, expected:
        assert bytes(frame[0]) == bytes(expected[0])
    with pytest.raises(vs.Error, match=r"upscale\.py: scale is 'two'; give a number"):
        runpy.run_path(str(path), init_globals={"source": "film.mkv", "scale": "two"})
    with pytest.raises(vs.Error, match=r"upscale\.py: give the video file"):
        runpy.run_path(str(path))


def test_frames_become_pictures(make_clip, tmp_path, pytestconfig):
    path = pytestconfig.rootpath / "examples" / "frames.py"
    subprocess.run([sys.executable, str(path), str(make_clip())], cwd=tmp_path, check=True)
    with Image.open(tmp_path / "frame.png") as picture:
        assert picture.size == (96, 64)

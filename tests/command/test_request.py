"""Every option arrives where it is meant for."""

import json
from types import SimpleNamespace

import torch

from tests.material import run
from vs_emtcm.command import request, videos
from vs_emtcm.video import VideoReport, VideoSettings
from vs_emtcm.video.encoder import EncoderSettings


def test_threads_are_those_of_the_network_too(make_clip, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    source = make_clip(frames=1)
    assert run("upscale", source, tmp_path / "all.mkv").exit_code == 0
    assert told == []
    assert run("upscale", source, tmp_path / "one.mkv", "--threads", 1).exit_code == 0
    assert told == [1]


def test_every_option_arrives_where_it_is_meant_for(make_clip, tmp_path, monkeypatch):
    told = []

    class Told:
        engine = SimpleNamespace(description="none")

        def __init__(self, scale, **settings):
            told.append({"scale": scale} | settings)

    def upscale(_source, _target, _upscaler, settings, *_):
        told.append(settings)
        return VideoReport(
            frames=30,
            resumed=20,
            size=(96, 64),
            seconds=2.0,
            decode=0.5,
            network=1.5,
            encode=1.0,
            damage=(),
            warnings=(),
        )

    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(request, "Upscaler", Told)
    monkeypatch.setattr(videos, "upscale_video", upscale)
    arguments = ("upscale", make_clip(frames=1), tmp_path / "out.mkv")
    usual = {"model": "base", "tune": "video", "stages": 2, "backend": "auto", "device": "auto", "tile": None}
    result = run(*arguments)
    assert told == [{"scale": 2} | usual, VideoSettings()]
    # What was done before says nothing about the pace.
    assert "30 frames of 96x64 (20 of them done before) in 2.0 s, 5.00 fps; decode 0.5 s" in result.stderr
    told.clear()
    network = "--scale 3 --model large --tune clean --stages 1 --backend torch --device cpu --tile 64"
    encoder = "--codec libx265 --crf 20.5 --preset fast --pix-fmt yuv420p10le"
    more = "--encoder-option tune=grain --encoder-option g=50"
    video = "--threads 2 --lanes 4 --resume --assume-progressive --json"
    result = run(*arguments, *f"{network} {encoder} {more} {video}".split())
    report = json.loads(result.stdout)
    assert (report["frames"], report["resumed"], report["fps"]) == (30, 20, 5.0)
    assert report["parts"] == {"decode": 0.5, "network": 1.5, "encode": 1.0}
    upscaler, settings = told
    assert upscaler == {
        "scale": 3,
        "model": "large",
        "tune": "clean",
        "stages": 1,
        "backend": "torch",
        "device": "cpu",
        "tile": 64,
    }
    assert settings == VideoSettings(
        encoder=EncoderSettings(
            codec="libx265",
            crf=20.5,
            preset="fast",
            pix_fmt="yuv420p10le",
            options=(("tune", "grain"), ("g", "50")),
            threads=2,
        ),
        threads=2,
        resume=True,
        assume_progressive=True,
        lanes=4,
    )

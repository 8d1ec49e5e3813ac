"""Chroma is scored on pictures."""

import json

import numpy as np
from PIL import Image

from tests.material import codes
from tests.training.commands.command_line import run


def test_the_command_prints_both(tmp_path):
    mask = codes(96, 128)[..., None] / 255
    picture = np.round(mask * (230, 60, 40) + (1 - mask) * (20, 40, 160)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "colours.png")
    (score,) = json.loads(run("evaluate-chroma", "--data", tmp_path, "--json").stdout)
    assert score["ours"] > score["spline36"]
    shown = run("evaluate-chroma", "--data", tmp_path).stdout
    assert f"Spline36 {score['spline36']:.2f} dB, ours {score['ours']:.2f} dB (1)" in shown

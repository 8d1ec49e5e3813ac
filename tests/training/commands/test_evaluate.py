"""Networks are scored on pictures."""

import json

import pytest
from PIL import Image

from tests.material import codes
from tests.training.commands.command_line import run


def test_the_shipped_models_beat_interpolation(pictures):
    scores = json.loads(run("evaluate", "--data", pictures, "--scale", 2, "--json").stdout)
    by_method = {s["method"]: s["psnr"] for s in scores}
    assert by_method["base-clean/2"] > max(by_method["bicubic"], by_method["lanczos"])


def test_pictures_that_cannot_be_scored_are_named_before_the_work(tmp_path, pictures, monkeypatch):
    (pictures / "Another").mkdir()
    (pictures / "Another" / "broken.png").write_bytes(b"x")
    Image.fromarray(codes(12, 40)).save(pictures / "Another" / "small.png")
    monkeypatch.setattr(
        "training.commands.evaluate.evaluate_pictures", lambda *_: pytest.fail("this is the work")
    )
    result = run("evaluate", "--data", pictures, "--network", "base-clean/1", "--scale", 2)
    assert result.exit_code == 2
    assert "broken.png cannot be read as a picture" in result.stderr
    assert "small.png is 40x12; scores need sides" in result.stderr


def test_what_is_identical_is_null_in_json(tmp_path):
    Image.new("L", (48, 48), 100).save(tmp_path / "flat.png")
    arguments = ("--data", tmp_path, "--network", "base-clean/1", "--scale", 2)
    result = run("evaluate", *arguments, "--json")
    assert result.exit_code == 0, result.output
    assert "Infinity" not in result.stdout
    found = [(s["reduction"], s["psnr"], round(s["ssim"], 6)) for s in json.loads(result.stdout)]
    assert found[:3] == [("luma", None, 1.0)] * 3
    # Luma of RGB is not rounded, and results are.
    assert all(reduction == "rgb" and psnr > 50 for reduction, psnr, _ in found[3:])
    assert "bicubic inf dB / 1.0000 (1)" in run("evaluate", *arguments).stdout
    (tmp_path / "scores.json").write_text(result.stdout)
    tables = run("report", "--pictures", tmp_path / "scores.json", "--out", tmp_path / "out")
    assert (tables.exit_code, "| bicubic | - | - | inf / 1.0000 |" in tables.stdout) == (0, True)


def test_pictures_that_do_not_count_are_named_once(pictures):
    Image.new("L", (48, 48), 100).save(pictures / "Set" / "flat.png")
    arguments = ("--data", pictures, "--network", "base-clean/1", "--scale", 2, "--scale", 3)
    for more in ((), ("--json",)):
        result = run("evaluate", *arguments, *more)
        assert result.exit_code == 0, result.output
        assert "inf dB" not in result.stdout
        assert result.stderr == (
            "training: given back exactly, which no mean PSNR can hold, and left out of it: Set: flat.png\n"
        )
    scores = json.loads(result.stdout)
    assert all((s["pictures"], s["psnr"] is None) == (3, False) for s in scores)
    assert [s["exact"] for s in scores if s["reduction"] == "luma"] == [["flat.png"]] * 6

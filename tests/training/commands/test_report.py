"""Scores become tables and a plot."""

import json

from PIL import Image

from tests.training.commands.command_line import run


def test_scores_become_tables_and_a_plot(tmp_path, pictures, make_clip):
    (pictures / "Set").rename(pictures / "Set5")
    networks = ("--network", "base-clean/1", "--network", "base-clean/2")
    scores = run("evaluate", "--data", pictures, *networks, "--scale", 2, "--json")
    (tmp_path / "pictures.json").write_text(scores.stdout)
    clip = make_clip(codec="ffv1", width=128, height=128)
    scores = run("evaluate-video", clip, *networks, "--crf", 23, "--frames", 3, "--json")
    rows = json.loads(scores.stdout)
    assert [row["method"] for row in rows] == ["bicubic", "lanczos", "base-clean/1", "base-clean/2"]
    assert all(row["pictures"] == 3 and row["vif"] > 0 for row in rows)
    noisy = run("evaluate-video", clip, *networks, "--crf", 23, "--frames", 3, "--noise", 60, "--json")
    for row, other in zip(rows, json.loads(noisy.stdout), strict=True):
        assert other["name"] == row["name"].replace(" CRF", " noise 60 CRF")
        assert other["psnr"] < row["psnr"] - 0.2
    (tmp_path / "video.json").write_text(scores.stdout)
    result = run(
        "report",
        "--pictures",
        tmp_path / "pictures.json",
        "--video",
        tmp_path / "video.json",
        "--out",
        tmp_path / "new" / "report",
    )
    assert result.exit_code == 0, result.output
    assert "| base-clean/1 | 10,356 | 2.37 |" in result.stdout
    assert "| base-clean/2 | 25,528 | 5.82 |" in result.stdout
    assert "| SESR-M5, published" in result.stdout
    with Image.open(tmp_path / "new" / "report" / "pareto.png") as plot:
        assert plot.size[0] > 400


def test_scores_that_are_not_there_are_wrong_usage(tmp_path):
    result = run("report", "--pictures", tmp_path / "nope.json", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr == (
        f"training: error: {tmp_path / 'nope.json'} cannot be read: no such file or directory; give the "
        "output of --json\n"
    )


def test_a_report_or_cache_below_a_file_is_wrong_usage(tmp_path, pictures):
    (tmp_path / "file").touch()
    row = {"name": "Set", "scale": 2, "method": "bicubic", "psnr": 30.0, "ssim": 0.9, "pictures": 1}
    (tmp_path / "scores.json").write_text(json.dumps([row]))
    for command in (
        ("report", "--pictures", tmp_path / "scores.json"),
        ("prepare", "--data", pictures, "--tune", "clean"),
    ):
        result = run(*command, "--out", tmp_path / "file" / "out")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "out cannot be made: not a directory; give another folder" in result.stderr

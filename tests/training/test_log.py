"""A log is a table that goes on where its run does."""

import csv

from training.log import LOG, Log


def rows(folder):
    with (folder / LOG).open(newline="") as file:
        return list(csv.DictReader(file))


def test_scores_are_rows_and_values_that_are_missing_are_empty(tmp_path):
    with Log(tmp_path, ["loss", "x2/1 PSNR"], 0, 4) as log:
        log.advance("x2", 2, 0.001)
        log.scores(2, {"loss": 1.23456789})
        log.scores(4, {"loss": 0.5, "x2/1 PSNR": 30.0})
    assert rows(tmp_path) == [
        {"step": "2", "loss": "1.23457", "x2/1 PSNR": ""},
        {"step": "4", "loss": "0.5", "x2/1 PSNR": "30.0"},
    ]
    assert any((tmp_path / "tensorboard").iterdir())


def test_later_and_damaged_rows_are_dropped_when_a_run_goes_on(tmp_path):
    with Log(tmp_path, ["loss"], 0, 6) as log:
        for step in (2, 4):
            log.scores(step, {"loss": step / 10})
    with (tmp_path / LOG).open("a") as file:
        file.write("half a li")
    with Log(tmp_path, ["loss"], 3, 6) as log:
        log.scores(6, {"loss": 0.1})
    assert rows(tmp_path) == [{"step": "2", "loss": "0.2"}, {"step": "6", "loss": "0.1"}]


def test_what_is_said_stands_beside_the_bar(tmp_path, capsys):
    with Log(tmp_path, ["loss"], 0, 2) as log:
        log.scores(2, {"loss": 0.25})
    assert "step 2  loss 0.25" in capsys.readouterr().err

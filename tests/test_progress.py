"""Progress is that of the frames made now."""

import re

import pytest

from vs_emtcm import progress


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_the_pace_is_that_of_this_run(clock, capsys):
    with progress.show_progress("film", "frame", quiet=False) as report:
        clock[0] = 11
        report(400, 1000, 400)
        clock[0] = 12
        report(500, 1000, 500)
        clock[0] = 22
        report(550, 1000, 500)
        clock[0] = 32
        report(600, 1000, 500)
    assert capsys.readouterr().err.splitlines() == [
        "film: frame 400 of 1000, done before",
        "film: frame 550 of 1000, 5.00 fps, 90 s left",
        "film: frame 600 of 1000, 5.00 fps, 80 s left",
    ]


def test_without_a_total_there_is_no_time_left(clock, capsys):
    with progress.show_progress("film", "frame", quiet=False) as report:
        clock[0] = 20
        report(40, None, 0)
    assert capsys.readouterr().err == "film: frame 40, 2.00 fps\n"


def test_a_terminal_shows_the_same(clock, capsys, monkeypatch):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    with progress.show_progress("film [x265] [/b]", "frame", quiet=False) as report:
        clock[0] = 5
        report(500, 1000, 500)
        clock[0] = 15
        report(550, 1000, 500)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().err)
    assert "550/1000 5.0 fps" in shown
    assert "film [x265] [/b]" in shown


def test_a_terminal_never_shows_more_frames_than_there_are(clock, capsys, monkeypatch):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    with progress.show_progress("film", "frame", quiet=False) as report:
        clock[0] = 5
        report(104, 100, 0)
    assert "104/104" in capsys.readouterr().err


def test_pictures_are_counted_as_pictures(clock, capsys):
    with progress.show_progress("folder", "picture", quiet=False) as report:
        clock[0] = 20
        report(40, 80, 0)
    assert capsys.readouterr().err == "folder: picture 40 of 80, 2.00 pictures a second, 20 s left\n"

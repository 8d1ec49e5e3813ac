"""What is done is kept for the same work, and for nothing else."""

import fcntl
from fractions import Fraction

import pytest

from vs_emtcm import EmtcmError, UsageError
from vs_emtcm.video.segment import SegmentFile
from vs_emtcm.video.workfolder import folder_path, work_folder

RECORD = {"scale": 2, "crf": None}


def add(folder, number, frames=250):
    file = SegmentFile(folder.segment_path(number), Fraction(1, 25), b"")
    folder.add(number, file.finish(frames, 0))


def interrupted(target, *numbers):
    with pytest.raises(KeyboardInterrupt) as caught, work_folder(target, RECORD) as folder:
        for number in numbers:
            add(folder, number)
        raise KeyboardInterrupt
    return str(caught.value)


def test_finished_segments_outlive_an_interruption(tmp_path):
    target = tmp_path / "out.mkv"
    message = interrupted(target, 0, 1, 3)
    assert message == "interrupted; the same command goes on from frame 500"
    with work_folder(target, RECORD) as folder:
        assert sorted(folder.segments) == [0, 1, 3]
        assert [folder.was_done(n) for n in (0, 499, 500, 749, 750, 999, 1000)] == [1, 1, 0, 0, 1, 1, 0]
        add(folder, 2)
        assert folder.next_frame == 1000
        assert not folder.was_done(500)
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_where_nothing_was_done(tmp_path):
    assert interrupted(tmp_path / "out.mkv") == ""
    assert not list(tmp_path.iterdir())


def test_what_is_not_whole_is_made_again(tmp_path):
    target = tmp_path / "out.mkv"
    interrupted(target, 0, 1)
    path = folder_path(target)
    damaged = path / "000001.segment"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    (path / "000002.segment.partial").write_bytes(b"half")
    (path / ".1.partial.mkv").write_bytes(b"half")
    with work_folder(target, RECORD) as folder:
        assert sorted(folder.segments) == [0]
        assert sorted(p.name for p in path.iterdir()) == ["000000.segment", "record.json"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"scale": 3, "crf": None}, r"\(scale was 2, now it is 3\)"),
        ({"scale": 2, "crf": 20.0}, r"\(crf was its own default, now it is 20.0\)"),
        ({"scale": 2, "crf": None, "codec": "ffv1"}, r"codec was its own default, now it is ffv1"),
    ],
)
def test_other_work_is_refused_and_nothing_is_lost(tmp_path, record, message):
    target = tmp_path / "out.mkv"
    interrupted(target, 0)
    before = {p: p.read_bytes() for p in folder_path(target).iterdir()}
    with pytest.raises(UsageError, match=message) as caught, work_folder(target, record):
        pass
    assert f"delete the folder {folder_path(target)} to begin again" in str(caught.value)
    assert {p: p.read_bytes() for p in folder_path(target).iterdir()} == before


def test_segments_without_a_record_are_of_no_use(tmp_path):
    target = tmp_path / "out.mkv"
    interrupted(target, 0)
    (folder_path(target) / "record.json").unlink()
    with work_folder(target, RECORD) as folder:
        assert not folder.segments


@pytest.mark.parametrize("content", ["[", "[]", "[" * 100_000], ids=["cut", "list", "deep"])
def test_a_damaged_record_loses_nothing(tmp_path, content):
    target = tmp_path / "out.mkv"
    interrupted(target, 0)
    record = folder_path(target) / "record.json"
    whole = record.read_text()
    record.write_text(content)
    with (
        pytest.raises(UsageError, match=r"record.json is damaged; delete the folder .* to begin again"),
        work_folder(target, RECORD),
    ):
        pass
    record.write_text(whole)
    with work_folder(target, RECORD) as folder:
        assert list(folder.segments) == [0]


def test_what_is_not_its_own_is_left_alone(tmp_path):
    target = tmp_path / "out.mkv"
    interrupted(target, 0)
    other = folder_path(target) / "other"
    other.mkdir()
    (folder_path(target) / "copy.segment").write_bytes(b"")
    with pytest.raises(KeyboardInterrupt), work_folder(target, RECORD) as folder:
        assert list(folder.segments) == [0]
        raise KeyboardInterrupt
    assert other.is_dir()


def test_a_failure_says_what_is_kept(tmp_path):
    target = tmp_path / "out.mkv"
    interrupted(target, 0)
    with (
        pytest.raises(EmtcmError, match=r"it failed \(what is done is kept in .*\.out\.mkv\.resume\)"),
        work_folder(target, RECORD),
    ):
        raise EmtcmError("it failed")


def test_two_runs_never_share_a_folder(tmp_path):
    with work_folder(tmp_path / "out.mkv", RECORD) as folder:
        with (
            pytest.raises(UsageError, match="another run is making"),
            work_folder(tmp_path / "out.mkv", RECORD),
        ):
            pass
        add(folder, 0)
        with work_folder(tmp_path / "other.mkv", RECORD):
            pass


def test_a_folder_that_another_run_removes_just_then_is_made_again_and_locked(tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    lock, calls = fcntl.flock, []

    def flock(opened, operation):
        if not calls:
            # Between opening and locking the other one ends.
            folder_path(target).rmdir()
        calls.append(opened)
        lock(opened, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with work_folder(target, RECORD) as folder:
        add(folder, 0)
        with pytest.raises(UsageError, match="another run is making"), work_folder(target, RECORD):
            pass
    assert len(calls) == 3


def test_long_names_have_folders_of_their_own(tmp_path):
    names = ["y" * 250 + ".mkv", "y" * 250 + ".mp4", "ä" * 125 + ".mkv"]
    folders = {folder_path(tmp_path / name) for name in names}
    assert len(folders) == 3
    for folder in folders:
        folder.mkdir()
    assert folder_path(tmp_path / "film.mkv").name == ".film.mkv.resume"

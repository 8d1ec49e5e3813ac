"""Output appears whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from vs_emtcm import EmtcmError, UsageError
from vs_emtcm.errors import WritingError
from vs_emtcm.output import check_output, complete_file


def test_the_file_appears_only_at_the_end(tmp_path):
    target = tmp_path / "out.mkv"
    with complete_file(target) as temporary:
        temporary.write_bytes(b"half")
        assert not target.exists()
        assert temporary.suffix == ".mkv"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mkv"]


def test_until_then_the_file_may_be_elsewhere(tmp_path):
    (tmp_path / "work").mkdir()
    with complete_file(tmp_path / "out.mkv", tmp_path / "work") as temporary:
        temporary.write_bytes(b"half")
        assert temporary.parent == tmp_path / "work"
    assert (tmp_path / "out.mkv").read_bytes() == b"half"
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.parametrize("replaced", [False, True])
def test_the_file_is_on_the_disk_before_it_has_its_name_and_then_its_name_is(tmp_path, monkeypatch, replaced):
    target, work = tmp_path / "out.mkv", tmp_path / "work"
    work.mkdir()
    if replaced:
        target.write_bytes(b"old")
    sync, synced = os.fsync, []

    def noted(descriptor):
        sync(descriptor)
        # What is synced, and whether the new file has its name then.
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path, target.exists() and target.read_bytes() == b"new"))

    monkeypatch.setattr(os, "fsync", noted)
    with complete_file(target, work) as temporary:
        temporary.write_bytes(b"new")
        assert synced == []
    assert synced == [(temporary, False), (tmp_path, True)]


def test_a_file_that_does_not_get_onto_the_disk_does_not_appear(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(EmtcmError, match=r"out\.mkv cannot be written: no space left on device"),
        complete_file(tmp_path / "out.mkv") as temporary,
    ):
        temporary.write_bytes(b"new")
    assert not list(tmp_path.iterdir())


def test_after_an_error_the_old_file_is_still_there(tmp_path):
    target = tmp_path / "out.mkv"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), complete_file(target) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mkv"]


def test_two_that_replace_the_same_file_at_once_do_not_meet(tmp_path):
    target = tmp_path / "out.mkv"
    target.write_bytes(b"old")
    with complete_file(target) as first:
        with complete_file(target) as second:
            first.write_bytes(b"first")
            second.write_bytes(b"second")
        assert target.read_bytes() == b"second"
    assert target.read_bytes() == b"first"


def test_what_appears_meanwhile_stays(tmp_path):
    target = tmp_path / "out.mkv"
    with (
        pytest.raises(WritingError, match=r"out\.mkv appeared while it was made and is left as it is"),
        complete_file(target) as temporary,
    ):
        temporary.write_bytes(b"new")
        target.write_bytes(b"precious")
    assert target.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mkv"]


def test_a_link_to_nowhere_is_replaced(tmp_path):
    target = tmp_path / "out.mkv"
    target.symlink_to(tmp_path / "nowhere")
    with complete_file(target) as temporary:
        temporary.write_bytes(b"new")
    assert [(p.name, p.is_symlink(), p.read_bytes()) for p in tmp_path.iterdir()] == [
        ("out.mkv", False, b"new")
    ]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK])
def test_a_file_appears_where_there_are_no_links(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    with complete_file(tmp_path / "out.mkv") as temporary:
        temporary.write_bytes(b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"out.mkv": b"new"}


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path):
    target = tmp_path / "out.mkv"
    target.touch(0o640)
    target.chmod(0o640)
    with complete_file(target) as temporary:
        temporary.write_bytes(b"new")
        temporary.chmod(0o644)
    assert target.stat().st_mode & 0o777 == 0o640


def test_devices_pipes_and_links_to_nowhere_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is a device or a pipe"):
        check_output(tmp_path / "a", tmp_path / "pipe", overwrite=True)
    with pytest.raises(UsageError, match="is a device or a pipe"):
        check_output(tmp_path / "a", Path("/dev/null"), overwrite=True)
    with pytest.raises(UsageError, match="exists already"):
        check_output(tmp_path / "a", tmp_path / "link", overwrite=False)


def test_the_input_is_never_the_output(tmp_path):
    source = tmp_path / "film.mkv"
    source.touch()
    (tmp_path / "link.mkv").symlink_to(source)
    for name in ("film.mkv", "link.mkv"):
        with pytest.raises(UsageError, match="is the input itself"):
            check_output(source, tmp_path / name, overwrite=True)


def test_existing_files_need_overwrite(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    source.touch()
    target.touch()
    with pytest.raises(UsageError, match="exists already"):
        check_output(source, target, overwrite=False)
    check_output(source, target, overwrite=True)


def test_places_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(UsageError, match="does not exist; create it first"):
        check_output(tmp_path / "a", tmp_path / "none" / "b", overwrite=False)
    with pytest.raises(UsageError, match="is a folder"):
        check_output(tmp_path / "a", tmp_path, overwrite=True)

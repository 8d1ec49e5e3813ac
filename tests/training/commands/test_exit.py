"""Failures are one sentence and an exit code."""

import errno
import signal

import pytest

from tests.training.commands.command_line import run


def prepare(tmp_path, pictures):
    return run("prepare", "--data", pictures, "--out", tmp_path / "cache", "--tune", "clean")


@pytest.fixture
def write_cache(monkeypatch):
    """Have ``prepare`` fail when it writes."""

    def fails(error):
        def write(*_):
            raise error

        monkeypatch.setattr("training.commands.prepare.write_cache", write)

    return fails


def test_an_interruption_is_said_without_a_checkpoint_that_is_not_there(tmp_path, pictures, write_cache):
    write_cache(KeyboardInterrupt())
    before = signal.getsignal(signal.SIGINT)
    result = prepare(tmp_path, pictures)
    signal.signal(signal.SIGINT, before)
    said = "training: interrupted; no unfinished file was left behind\n"
    assert (result.exit_code, result.stderr) == (1, said)


def test_a_full_disk_is_said(tmp_path, pictures, write_cache):
    write_cache(OSError(errno.ENOSPC, "No space left on device"))
    result = prepare(tmp_path, pictures)
    assert (result.exit_code, result.stderr) == (1, "training: error: no space left on device\n")


def test_a_file_that_cannot_be_written_is_named(tmp_path, pictures, write_cache):
    write_cache(PermissionError(errno.EACCES, "Permission denied", "here/pixels.bin"))
    result = prepare(tmp_path, pictures)
    assert (result.exit_code, result.stderr) == (1, "training: error: here/pixels.bin: permission denied\n")


def test_too_little_memory_is_said(tmp_path, pictures, write_cache):
    write_cache(MemoryError())
    result = prepare(tmp_path, pictures)
    advice = "smaller pictures, or a smaller batch or crop in the recipe, need less"
    assert (result.exit_code, result.stderr) == (1, f"training: error: out of memory; {advice}\n")

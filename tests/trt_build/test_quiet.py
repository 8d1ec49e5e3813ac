"""A library is silent for a while, and says what it did before afterwards."""

import logging
import os
import warnings

import pytest

from trt_build.quiet import native_silence, quiet


def talk():
    log = logging.getLogger("library.part")
    log.warning("optional package missing")
    log.error("it is broken")
    warnings.warn("deprecated", stacklevel=1)


@pytest.mark.parametrize(("level", "heard"), [(logging.ERROR, ["it is broken"]), (logging.CRITICAL, [])])
def test_only_what_is_severe_is_heard(caplog, recwarn, level, heard):
    with quiet("library", level):
        talk()
    assert caplog.messages == heard
    assert not recwarn


def test_everything_is_heard_again_even_after_an_error(caplog, recwarn):
    with pytest.raises(OSError, match="gone"), quiet("library"):
        raise OSError("gone")
    talk()
    assert caplog.messages == ["optional package missing", "it is broken"]
    assert [str(w.message) for w in recwarn] == ["deprecated"]


def test_a_librarys_own_level_comes_back():
    log = logging.getLogger("library")
    for level in (logging.DEBUG, logging.NOTSET):
        log.setLevel(level)
        with quiet("library"):
            assert log.level == logging.ERROR
        assert log.level == level


def test_a_stream_of_errors_that_is_closed_is_silent_already(monkeypatch):
    def dup(_):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(os, "dup", dup)
    reached = []
    with native_silence():
        reached.append(True)
    assert reached


def test_what_libraries_write_themselves_is_not_seen(capfd):
    with pytest.raises(OSError, match="gone"), native_silence():
        os.write(2, b"WARNING: no GPU")
        raise OSError("gone")
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"

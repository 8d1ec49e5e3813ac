"""A folder is locked for one at a time, whatever another process does to it meanwhile."""

import os
import sys

import pytest

from vs_emtcm.errors import UsageError
from vs_emtcm.lock import locked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")


def test_a_second_one_is_refused_until_the_first_is_done(tmp_path):
    folder = tmp_path / "work"
    with locked(folder, "enough"):
        assert folder.is_dir()
        with pytest.raises(UsageError, match="enough"), locked(folder, "enough"):
            pass
    with locked(folder, "enough"):
        pass


@pytest.mark.parametrize("times", [1, 3])
def test_a_folder_that_vanishes_before_it_is_opened_is_made_again(tmp_path, monkeypatch, times):
    folder, removed, real_open = tmp_path / "work", [], os.open

    def open_later(path, flags):
        if len(removed) < times:
            removed.append(path)
            path.rmdir()
        return real_open(path, flags)

    monkeypatch.setattr(os, "open", open_later)
    with locked(folder, "enough"):
        assert folder.is_dir()
        with pytest.raises(UsageError), locked(folder, "enough"):
            pass
    assert removed == [folder] * times


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), locked(tmp_path / "missing" / "work", "enough"):
        pass

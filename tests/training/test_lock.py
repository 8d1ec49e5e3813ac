"""A run's folder is one training's."""

import sys

import pytest

from training.lock import locked
from vs_emtcm.errors import UsageError


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_a_folder_is_locked_until_the_end(tmp_path):
    folder = tmp_path / "runs" / "one"
    with (
        locked(folder),
        pytest.raises(UsageError, match=r"another training works in .*one; wait for its end"),
        locked(folder),
    ):
        pytest.fail("both trainings work in the folder")
    with locked(folder):
        assert folder.parent.is_dir()

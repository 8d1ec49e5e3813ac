"""Folders are made, and cleared of what a kill left."""

import pytest

from training.folders import make_folder, remove_partial_files
from vs_emtcm.errors import UsageError
from vs_emtcm.output import complete_file


def test_unfinished_files_of_a_killed_training_are_removed_and_no_others(tmp_path):
    (tmp_path / "samples").mkdir()
    kept = [".mine.partial.png", "0123456789abcdef.partial.png", ".0123456789abcdef.partial", "log.csv"]
    partial = []
    for name in ("weights.safetensors", "log.csv", "samples/x2-000001.png"):
        with complete_file(tmp_path / name) as temporary:
            partial.append(temporary)
            temporary.touch()
    for path in (*partial, *(folder / name for name in kept for folder in (tmp_path, tmp_path / "samples"))):
        path.touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / partial[0].name).touch()
    remove_partial_files(tmp_path)
    assert not any(path.exists() for path in partial)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2 * len(kept) + 3
    remove_partial_files(tmp_path / "none")


@pytest.mark.parametrize("name", ["run", "run/below"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path, name):
    (tmp_path / "run").touch()
    with pytest.raises(UsageError, match=r"cannot be made: .*; give another folder"):
        make_folder(tmp_path / name)

"""Files appear when they are complete, or not at all."""

import pytest

from trt_build.whole_file import whole_file


def test_a_file_appears_at_the_end_alone(tmp_path):
    path = tmp_path / "out.bin"
    with whole_file(path) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()
    assert [each.name for each in tmp_path.iterdir()] == ["out.bin"]
    assert path.read_bytes() == b"new"


def test_what_was_there_stays_after_an_exception(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as temporary:
        temporary.write_bytes(b"new")
        raise KeyboardInterrupt
    assert [each.name for each in tmp_path.iterdir()] == ["out.bin"]
    assert path.read_bytes() == b"old"

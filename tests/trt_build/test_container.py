"""An engine file is whole or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt_build import BuildError, EngineFileError
from trt_build.container import MAGIC, read_description, read_engine, write_engine

DESCRIPTION = {"label": "test", "scale": 2}


@given(st.binary(max_size=1000))
def test_what_goes_in_comes_out(tmp_path_factory, engine):
    path = tmp_path_factory.mktemp("engines") / "a.engine"
    write_engine(path, DESCRIPTION, engine)
    assert read_description(path) == DESCRIPTION
    assert read_engine(path) == engine


@given(st.data())
def test_any_cut_and_any_changed_byte_is_noticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("engines") / "a.engine"
    write_engine(path, DESCRIPTION, bytes(range(100)))
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:place] + bytes([whole[place] ^ data.draw(st.integers(1, 255))]) + whole[place + 1 :]
    for content in (whole[:place], damaged):
        path.write_bytes(content)
        try:
            description, engine = read_description(path), read_engine(path)
        except EngineFileError:
            continue
        # A letter of the description may have changed: the store compares that with what it wants.
        assert engine == bytes(range(100))
        assert description != DESCRIPTION


def test_a_store_may_be_shared(tmp_path):
    write_engine(tmp_path / "a.engine", DESCRIPTION, b"x")
    # Written by one, read by all.
    assert (tmp_path / "a.engine").stat().st_mode & 0o777 == 0o644


def test_foreign_files_are_refused(tmp_path):
    (tmp_path / "picture.engine").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(EngineFileError, match="is not an engine file of trt_build"):
        read_engine(tmp_path / "picture.engine")
    (tmp_path / "huge.engine").write_bytes(MAGIC + b"\xff" * 8 + b"x")
    with pytest.raises(EngineFileError, match="is damaged"):
        read_engine(tmp_path / "huge.engine")
    header = b"[" * 100_000
    (tmp_path / "deep.engine").write_bytes(MAGIC + len(header).to_bytes(8, "little") + header)
    with pytest.raises(EngineFileError, match="is damaged"):
        read_engine(tmp_path / "deep.engine")
    with pytest.raises(EngineFileError, match="cannot be read: No such file"):
        read_engine(tmp_path / "none.engine")


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trt_build.whole_file.os.fsync", full)
    with pytest.raises(BuildError, match="cannot be written: No space left on device"):
        write_engine(tmp_path / "a.engine", DESCRIPTION, b"x")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="cannot be written"):
        write_engine(tmp_path / "file" / "a.engine", DESCRIPTION, b"x")

"""Files are whole, readable, and say what they are."""

import json
from pathlib import Path

import pytest
import torch

from tests.training.runs import trained
from training.checkpoint import CHECKPOINT
from training.errors import TrainingError
from training.files import read_model, read_tensors, write_tensors
from training.loop import WEIGHTS
from vs_emtcm.errors import UsageError


def test_files_are_as_readable_as_any_new_file(tmp_path):
    trained(tmp_path)
    (tmp_path / "new").touch()
    modes = {(tmp_path / name).stat().st_mode for name in ("new", CHECKPOINT, WEIGHTS)}
    assert len(modes) == 1


def test_a_file_that_cannot_be_written_leaves_no_part_of_it(tmp_path):
    (tmp_path / WEIGHTS).mkdir()
    with pytest.raises(TrainingError, match="cannot be written: is a directory"):
        write_tensors(tmp_path / WEIGHTS, {"a": torch.zeros(1)}, {})
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS]


def test_an_interruption_while_a_file_is_written_leaves_no_part_of_it(tmp_path, monkeypatch):
    path = tmp_path / WEIGHTS
    write_tensors(path, {"a": torch.zeros(1)}, {})
    good, write = path.read_bytes(), Path.write_bytes

    def interrupted(path, content):
        write(path, content[:-1])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_tensors(path, {"a": torch.ones(1)}, {})
    assert (list(tmp_path.iterdir()), path.read_bytes()) == ([path], good)


def test_the_exported_file_says_what_it_is(tmp_path):
    trained(tmp_path)
    header = (tmp_path / WEIGHTS).read_bytes()
    size = int.from_bytes(header[:8], "little")
    metadata = json.loads(header[8 : 8 + size])["__metadata__"]
    assert (metadata["format"], metadata["name"], metadata["tune"]) == ("emtcm-1", "tiny", "clean")
    assert (metadata["channels"], metadata["stage1"], metadata["stage2"]) == ("4", "2", "2")
    assert (metadata["scales"], metadata["steps"]) == ("[2, 3, 4]", "6")


def test_equal_files_are_equal_byte_by_byte(tmp_path):
    tensors = {"b": torch.rand(3), "a": torch.rand(2, 2).half(), "c": torch.zeros(0)}
    metadata = {f"key {number}": f'{number} "é"\n' for number in range(20)}
    for name, pairs in (("one", metadata.items()), ("other", reversed(metadata.items()))):
        write_tensors(tmp_path / name, tensors, dict(pairs))
    content = (tmp_path / "one").read_bytes()
    assert content == (tmp_path / "other").read_bytes()
    assert list(json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]) == sorted(
        metadata
    )
    read, told = read_tensors(tmp_path / "one")
    assert (read.keys(), told) == (tensors.keys(), metadata)
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)


def test_a_description_that_is_not_of_its_tensors_is_refused(tmp_path):
    tensors, metadata = read_tensors(trained(tmp_path).folder / WEIGHTS)
    assert read_model(tmp_path / WEIGHTS, 2).shape.channels == 4
    for key in ("channels", "stage1", "stage2"):
        for value in ("1", "3", "1000000000000000000"):
            write_tensors(tmp_path / "wrong.safetensors", tensors, {**metadata, key: value})
            with pytest.raises(UsageError, match="describes another network than it holds"):
                read_model(tmp_path / "wrong.safetensors", 2)
    with pytest.raises(UsageError, match="is a folder; give a weights file"):
        read_model(tmp_path, 2)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    tensors, metadata = read_tensors(trained(tmp_path).folder / WEIGHTS)
    tensors["x2/head.slope"].fill_(float("nan"))
    write_tensors(tmp_path / "nan.safetensors", tensors, metadata)
    assert read_model(tmp_path / "nan.safetensors", 3).scale == 3
    with pytest.raises(UsageError, match=r"not finite: head\.slope; give another file"):
        read_model(tmp_path / "nan.safetensors", 2)

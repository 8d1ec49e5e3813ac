"""A checkpoint gives back the state that it was made of."""

import json
from dataclasses import fields, replace

import pytest
import torch

from tests.training.runs import recipe
from training.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint, write_checkpoint
from training.errors import TrainingError
from training.files import read_tensors, write_tensors

STATE = Checkpoint(
    step=4,
    phase=1,
    recipe=recipe(),
    held=frozenset({2, 3}),
    loss_sum=0.1 + 0.2,
    loss_steps=3,
    cache="name",
    network={"a": torch.rand(2, 3).T},
    average={"a": torch.rand(3, 2)},
    optimizer={"soap/b": torch.rand(2), "done": torch.tensor(4)},
)


def test_what_is_written_is_read_to_the_bit(tmp_path):
    write_checkpoint(tmp_path / CHECKPOINT, STATE)
    read = read_checkpoint(tmp_path / CHECKPOINT)
    for field in fields(Checkpoint):
        before, after = getattr(STATE, field.name), getattr(read, field.name)
        if field.name in ("network", "average", "optimizer"):
            assert before.keys() == after.keys()
            assert all(torch.equal(before[name], after[name]) for name in before)
        else:
            assert before == after


def test_losses_that_are_not_finite_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_checkpoint(tmp_path / CHECKPOINT, replace(STATE, loss_sum=float("nan")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["step", "phase", "recipe", "held", "loss", "cache"])
def test_checkpoints_of_other_versions_are_refused(tmp_path, key):
    path = tmp_path / CHECKPOINT
    write_checkpoint(path, STATE)
    tensors, metadata = read_tensors(path)
    for other in ({k: v for k, v in metadata.items() if k != key}, metadata | {key: "{"}):
        if key == "cache" and key in other:
            continue
        write_tensors(path, tensors, other)
        with pytest.raises(TrainingError, match="is a checkpoint of another version; start in a new folder"):
            read_checkpoint(path)


def test_the_format_is_that_of_the_checkpoints_that_exist(tmp_path):
    write_checkpoint(tmp_path / CHECKPOINT, STATE)
    tensors, metadata = read_tensors(tmp_path / CHECKPOINT)
    assert tensors.keys() == {"network/a", "average/a", "optimizer/soap/b", "optimizer/done"}
    assert metadata.keys() == {"step", "phase", "recipe", "held", "loss", "cache"}
    assert (metadata["step"], metadata["phase"], metadata["held"]) == ("4", "1", "[2, 3]")
    assert json.loads(metadata["loss"]) == [0.1 + 0.2, 3]

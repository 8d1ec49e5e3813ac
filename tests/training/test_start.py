"""Runs start from other runs and from weights files."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from tests.training.runs import phase, recipe, trained
from training.checkpoint import CHECKPOINT
from training.files import read_tensors
from training.loop import WEIGHTS
from training.run import Run
from training.start import read_start
from vs_emtcm.errors import UsageError


def test_a_run_starts_from_another_ones_average(tmp_path):
    first = trained(tmp_path / "first")
    settings = recipe((phase(),), scales=(2, 3, 4), seed=9)
    second = Run(settings, tmp_path / "second", start=tmp_path / "first" / CHECKPOINT)
    assert (second.step, second.held) == (0, {2, 3, 4})
    for name, value in second.form.state_dict().items():
        torch.testing.assert_close(value, first.average[name])


def test_a_run_starts_from_a_weights_file(tmp_path):
    first = trained(tmp_path / "first")
    settings = recipe((phase(),), scales=(2, 3, 4), seed=9)
    second = Run(settings, tmp_path / "second", start=tmp_path / "first" / WEIGHTS)
    assert second.held == {2, 3, 4}
    x = torch.rand(1, 1, 30, 30)
    for scale in (2, 3, 4):
        torch.testing.assert_close(second.form.deployed(scale)(x), first.averaged().deployed(scale)(x))


def test_a_start_is_that_of_a_new_run(tmp_path):
    """Given again it must be the same, whatever its name; left out, the run goes on."""
    first = trained(tmp_path / "first").folder
    trained(tmp_path / "other", recipe(seed=4))
    settings, out = recipe(seed=9), tmp_path / "second"
    Run(settings, out, start=first / WEIGHTS).save()
    shutil.copy(first / WEIGHTS, tmp_path / "copy.safetensors")
    for start in (None, first / WEIGHTS, tmp_path / "copy.safetensors"):
        assert Run(settings, out, start=start).step == 0
    for start in (first / CHECKPOINT, tmp_path / "other" / WEIGHTS):
        with pytest.raises(UsageError, match=f"second began from other weights than {start}; go on without"):
            Run(settings, out, start=start)
    with pytest.raises(UsageError, match=r"none\.safetensors does not exist; start from"):
        Run(settings, out, start=tmp_path / "none.safetensors")
    with pytest.raises(
        UsageError, match=r"first began from nothing, and not from .*; go on without --start-from"
    ):
        Run(recipe(), first, start=tmp_path / "other" / WEIGHTS)
    # What was recorded stays when the run is saved again.
    Run(settings, out).save()
    with pytest.raises(UsageError, match="began from other weights"):
        Run(settings, out, start=first / CHECKPOINT)


def test_a_run_of_an_earlier_version_has_any_start_that_is_there(tmp_path):
    first = trained(tmp_path / "first").folder
    Run(recipe(), tmp_path / "old").save()
    tensors, metadata = read_tensors(tmp_path / "old" / CHECKPOINT)
    assert metadata.pop("start") == ""
    save_file(tensors, tmp_path / "old" / CHECKPOINT, metadata)
    run = Run(recipe(), tmp_path / "old", start=first / WEIGHTS)
    run.save()
    assert "start" not in read_tensors(tmp_path / "old" / CHECKPOINT)[1]
    with pytest.raises(UsageError, match="does not exist"):
        Run(recipe(), tmp_path / "old", start=tmp_path / "none")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "zzz"}, "is not an EMTCM weights file"),
        ({"tune": "bogus"}, "is for the tune 'bogus'; accepted are"),
        ({"scales": "[9]"}, "its scales are not some of 2, 3 and 4"),
        ({"scales": "[2, 9]"}, "its scales are not some of 2, 3 and 4"),
        ({"scales": "[]"}, "its scales are not some of 2, 3 and 4"),
        ({"scales": "[" * 100_000}, "its scales are not some of 2, 3 and 4"),
        ({"channels": "1000000000"}, "holds the weights of another network"),
        ({"channels": "x"}, "is a damaged weights file: its description is not whole"),
    ],
)
def test_descriptions_that_the_product_refuses_are_refused(tmp_path, changes, message):
    tensors, metadata = read_tensors(trained(tmp_path / "first").folder / WEIGHTS)
    start = tmp_path / "start.safetensors"
    save_file(tensors, start, {**metadata, **changes})
    with pytest.raises(UsageError, match=message):
        Run(recipe(), tmp_path / "second", start=start)


@pytest.mark.parametrize("name", [CHECKPOINT, WEIGHTS])
@pytest.mark.parametrize(
    ("value", "message"),
    [(float("nan"), "holds weights that are not finite"), (float("inf"), "not finite"), (None, "int32")],
)
def test_numbers_that_are_no_weights_are_refused(tmp_path, name, value, message):
    tensors, metadata = read_tensors(trained(tmp_path / "first").folder / name)
    key = "average/scales.x2.activations.head.slope" if name == CHECKPOINT else "x2/head.slope"
    tensors[key] = tensors[key].int() if value is None else tensors[key].fill_(value)
    start = tmp_path / "start.safetensors"
    save_file(tensors, start, metadata)
    with pytest.raises(UsageError, match=message):
        Run(recipe(), tmp_path / "second", start=start)


def test_scales_that_the_file_does_not_promise_are_not_taken(tmp_path):
    tensors, metadata = read_tensors(trained(tmp_path / "first").folder / WEIGHTS)
    start = tmp_path / "start.safetensors"
    save_file(tensors, start, {**metadata, "scales": json.dumps([2])})
    assert Run(recipe(), tmp_path / "second", start=start).held == {2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is a folder; start from the folder of a run"),
        (b"x", "is neither a checkpoint nor a weights file: "),
        ({}, "is neither a checkpoint nor a weights file; start from another"),
        ({"held": "[9]"}, "is a damaged checkpoint: its scales"),
    ],
)
def test_files_of_other_kinds_are_refused(tmp_path, content, message):
    start = tmp_path / "start"
    if content is None:
        start.mkdir()
    elif isinstance(content, bytes):
        start.write_bytes(content)
    else:
        save_file({"average/a": torch.zeros(1)}, start, content)
    with pytest.raises(UsageError, match=message):
        read_start(start)

"""Shipped models are found by name, and hold every scale."""

import numpy as np
import pytest
from safetensors import safe_open

from vs_emtcm import models
from vs_emtcm.errors import UsageError
from vs_emtcm.weights_file import load_weights


@pytest.mark.parametrize("model", models.SHIPPED, ids=lambda m: f"{m.name}-{m.tune}")
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_shipped_model_holds_every_scale(model, scale):
    weights = load_weights(model.path, scale)
    assert weights.scale == scale
    assert weights.tensors["estimate2.weight"].shape[0] == scale * scale
    assert all(np.isfinite(t).all() for t in weights.tensors.values())


@pytest.mark.parametrize("model", models.SHIPPED, ids=lambda m: f"{m.name}-{m.tune}")
def test_one_file_of_three_scales_is_small(model):
    # The scales of "large" share no kernel.
    assert model.path.stat().st_size < {"base": 300_000, "large": 1_350_000}[model.name]


def test_unknown_names_are_refused_with_what_there_is():
    with pytest.raises(UsageError, match=r"model 'huge' with tune 'video' does not exist.*base/clean"):
        models.find("huge", "video")


def test_a_path_is_taken_as_a_weights_file(tmp_path):
    assert models.resolve("some/where.safetensors", "video").name == "where.safetensors"
    with pytest.raises(UsageError, match="cannot be read as a weights file"):
        load_weights(tmp_path / "none.safetensors", 2)


def test_a_path_may_be_a_path(tmp_path):
    assert models.resolve(tmp_path / "some.safetensors", "clean") == tmp_path / "some.safetensors"


def test_unknown_tunes_are_refused_with_a_file_as_well():
    with pytest.raises(UsageError, match="tune is 'anime'; accepted are video and clean"):
        models.resolve("some.safetensors", "anime")


@pytest.mark.parametrize("scale", [0, 1, 5, "2", True, 2.5, 2.0, None])
def test_other_scales_are_refused(scale):
    with pytest.raises(UsageError, match="accepted are 2, 3 and 4"):
        models.check_scale(scale)


@pytest.mark.parametrize("model", models.SHIPPED, ids=lambda m: f"{m.name}-{m.tune}")
def test_a_shipped_file_is_the_model_that_it_is_called(model):
    with safe_open(model.path, framework="numpy") as file:
        metadata = file.metadata()
    assert (metadata["name"], metadata["tune"]) == (model.name, model.tune)


def test_a_path_may_begin_at_the_users_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert models.resolve("~/mine.safetensors", "clean") == tmp_path / "mine.safetensors"

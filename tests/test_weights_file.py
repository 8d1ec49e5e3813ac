"""Weights files that are whole are read; others are refused with a reason."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from vs_emtcm import models
from vs_emtcm.engines.load import load_network
from vs_emtcm.errors import UsageError
from vs_emtcm.weights_file import fingerprint, load_weights


def test_weights_are_told_apart():
    weights = [load_weights(model.path, scale) for model in models.SHIPPED for scale in models.SCALES]
    names = [fingerprint(w) for w in weights]
    assert len(set(names)) == len(names)
    assert fingerprint(load_weights(models.SHIPPED[0].path, 2)) == names[0]


def test_weights_for_an_unknown_tune_are_refused(tmp_path):
    path, model = tmp_path / "other.safetensors", models.SHIPPED[0].path
    with safe_open(model, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    save_file(tensors, path, metadata | {"tune": "anime"})
    with pytest.raises(UsageError, match=r"is for the tune 'anime'; accepted are video and clean"):
        load_weights(path, 2)
    save_file(tensors, path, metadata)
    assert load_weights(path, 2).tune == models.SHIPPED[0].tune


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", b"\xff" * 64])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read as a weights file"):
        load_weights(path, 2)


def test_files_of_other_programs_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": np.zeros(3, np.float32)}, path)
    with pytest.raises(UsageError, match="is not an EMTCM weights file"):
        load_weights(path, 2)


@pytest.mark.parametrize("lacking", ["scales", "channels", "body1.1.conv.weight"])
def test_files_that_lack_a_part_are_refused(tmp_path, lacking):
    with safe_open(models.find("base", "video").path, framework="numpy") as file:
        metadata = {k: v for k, v in file.metadata().items() if k != lacking}
        tensors = {k: file.get_tensor(k) for k in file.keys() if not k.endswith(lacking)}  # noqa: SIM118
    save_file(tensors, tmp_path / "part.safetensors", metadata)
    with pytest.raises(UsageError, match="damaged"):
        load_network(load_weights(tmp_path / "part.safetensors", 2), 2)


@pytest.mark.parametrize("name", ["channels", "stage1", "stage2"])
@pytest.mark.parametrize("number", ["0", "-3", "2"])
def test_descriptions_that_do_not_fit_the_tensors_are_refused(tmp_path, name, number):
    with safe_open(models.find("base", "video").path, framework="numpy") as file:
        metadata = file.metadata() | {name: number}
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    save_file(tensors, tmp_path / "other.safetensors", metadata)
    with pytest.raises(UsageError, match="damaged"):
        load_network(load_weights(tmp_path / "other.safetensors", 2), 1)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    with safe_open(models.find("base", "video").path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    tensors["x2/head.slope"] = tensors["x2/head.slope"] * np.nan
    save_file(tensors, tmp_path / "other.safetensors", metadata)
    with pytest.raises(UsageError, match=r"damaged: head\.slope holds what is no number"):
        load_network(load_weights(tmp_path / "other.safetensors", 2), 1)


def test_numbers_and_descriptions_that_do_not_exist_here_are_refused(tmp_path):
    with safe_open(models.find("base", "video").path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {k: torch.from_numpy(file.get_tensor(k)) for k in file.keys()}  # noqa: SIM118
    path = tmp_path / "other.safetensors"
    save_torch_file({k: v.bfloat16() for k, v in tensors.items()}, path, metadata=metadata)
    with pytest.raises(UsageError, match=r"cannot be read as a weights file: .*bfloat16"):
        load_weights(path, 2)
    for scales in ("2", "[Infinity]", "[" * 100_000):
        save_torch_file(tensors, path, metadata=metadata | {"scales": scales})
        with pytest.raises(UsageError, match="its description is not whole"):
            load_weights(path, 2)

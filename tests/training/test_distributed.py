"""Several processes train as one."""

import csv
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.material import codes
from training.cache import write_cache
from training.distributed import Part, training_device
from training.pairs import clean_pair
from vs_emtcm.errors import UsageError

RECIPE = """
[model]
name = "tiny"
tune = "clean"
shape = { channels = 4, stage1 = 1, stage2 = 2 }
scales = [2, 3]

[optimizer]
name = "adam"
vector_rate = 0.3

[schedule]
warmup = 2
ema = 0.9
seed = 1
evaluate_every = 2
checkpoint_every = 6

[loss]
stage1 = 0.5
tasks = { luminance = 0.1, contrast = 0.1, structure = 0.1, distribution = 0.01 }
sample = 2

[[phases]]
scales = [2, 3]
steps = 6
batch = 4
crop = 24
learning_rate = 3e-3
"""


def test_parts_of_a_batch_are_disjoint_and_whole():
    crops = list(range(12))
    parts = [crops[Part(rank=rank, size=3).share(12)] for rank in range(3)]
    assert sorted(crop for part in parts for crop in part) == crops
    assert {len(part) for part in parts} == {4}
    with pytest.raises(UsageError, match="a batch of 5 cannot be divided by 2 processes"):
        Part(rank=0, size=2).share(5)


def test_devices_that_do_not_exist_are_refused(monkeypatch):
    assert training_device("cpu") == torch.device("cpu")
    with pytest.raises(UsageError, match="device is 'tpu'; accepted are cpu and cuda"):
        training_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no CUDA GPU is available; use cpu"):
        training_device("cuda")


def test_a_device_is_chosen_without_changing_how_others_compute(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _device: None)
    before = torch.backends.cudnn.allow_tf32
    assert training_device("cuda") == torch.device("cuda", 0)
    assert torch.backends.cudnn.allow_tf32 == before


def test_two_processes_have_the_loss_curve_of_one(tmp_path, pytestconfig):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    for cache in ("cache", "held-out"):
        write_cache(tmp_path / cache, [clean_pair(codes(150, 150), s) for s in (2, 3)])

    def losses(run, *launcher):
        command = [sys.executable, *launcher, "-m", "training", "train", "--eager", "--threads", "1"]
        command += ["--recipe", "recipe.toml", "--cache", "cache", "--validation", "held-out", "--out", run]
        environment = {"PYTHONPATH": str(pytestconfig.rootpath), "PATH": ""}
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=300)
        with (tmp_path / run / "log.csv").open() as file:
            return [
                [float(value) for key, value in row.items() if key != "seconds"]
                for row in csv.DictReader(file)
            ]

    one = losses("one")
    two = losses("two", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert len(one) == 3
    np.testing.assert_allclose(two, one, rtol=2e-3)

"""Training learns, and a killed run goes on as if nothing had happened."""

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import codes
from training.cache import clean_pair
from training.config import ConfigError, Loss, Model, Recipe, Schedule, load_recipe
from training.crops import CropSource
from training.loop import CHECKPOINT, WEIGHTS, Run, TrainingError, learning_rate, train
from training.losses import TaskWeights
from vs_emtcm import PixelFormat, Upscaler
from vs_emtcm.network import Shape

PAIRS = {s: [clean_pair(codes(144, 144, seed=i), s) for i in range(2)] for s in (2, 3, 4)}


def recipe(**schedule) -> Recipe:
    settings = {
        "steps": 6,
        "batch": {2: 2, 3: 2, 4: 1},
        "crop": 24,
        "learning_rate": 3e-3,
        "warmup": 2,
        "ema": 0.9,
        "seed": 3,
        "evaluate_every": 3,
        "checkpoint_every": 3,
    }
    return Recipe(
        model=Model(name="tiny", tune="clean", shape=Shape(channels=4, stage1=1, stage2=2), width=8),
        schedule=Schedule(**(settings | schedule)),
        loss=Loss(
            stage1=0.5,
            tasks=TaskWeights(luminance=0.1, contrast=0.1, structure=0.1, distribution=0.01),
            sample=1,
        ),
    )


def test_training_learns(tmp_path):
    run = train(recipe(steps=60, evaluate_every=20), PAIRS, PAIRS, tmp_path)
    assert run.step == 60
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0].startswith("step,loss,seconds,x2/1,x2/2")
    losses = [float(line.split(",")[1]) for line in lines[1:]]
    assert losses[-1] < losses[0]


def test_a_killed_run_goes_on_to_the_bit(tmp_path):
    train(recipe(), PAIRS, PAIRS, tmp_path / "whole")
    killed = Run(recipe(), tmp_path / "killed")
    sources = {s: CropSource(PAIRS[s], 24) for s in (2, 3, 4)}
    for _ in range(3):
        killed.train_step(sources)
    killed.save()
    train(recipe(), PAIRS, PAIRS, tmp_path / "killed")
    for name in (CHECKPOINT, WEIGHTS):
        whole, resumed = (load_file(tmp_path / run / name) for run in ("whole", "killed"))
        assert whole.keys() == resumed.keys()
        assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_the_exported_file_is_a_model_of_the_product(tmp_path):
    run = train(recipe(), PAIRS, PAIRS, tmp_path)
    network = run.averaged()
    luma = codes(20, 20)
    for scale in (2, 3, 4):
        upscaler = Upscaler(scale, model=str(tmp_path / WEIGHTS), device="cpu")
        result = upscaler.upscale([luma], PixelFormat(family="gray"))[0]
        r = upscaler.engine.radius
        x = torch.from_numpy(np.pad(luma, r, mode="edge"))[None, None].float() / 255
        with torch.no_grad():
            expected = (network(x, scale)[-1] * 255).round().clamp(0, 255)[0, 0]
        np.testing.assert_allclose(result.astype(int), expected.numpy(), atol=1)


def test_a_run_starts_from_another_ones_average(tmp_path):
    first = train(recipe(), PAIRS, PAIRS, tmp_path / "first")
    second = Run(recipe(seed=9), tmp_path / "second", start=tmp_path / "first" / CHECKPOINT)
    assert second.step == 0
    for name, value in second.network.state_dict().items():
        torch.testing.assert_close(value, first.average[name])


def test_checkpoints_of_other_networks_are_refused(tmp_path):
    train(recipe(), PAIRS, PAIRS, tmp_path)
    other = msgspec.structs.replace(
        recipe(), model=msgspec.structs.replace(recipe().model, shape=Shape(channels=5, stage1=1, stage2=2))
    )
    with pytest.raises(TrainingError, match="is a checkpoint of another network"):
        Run(other, tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(b"broken")
    with pytest.raises(TrainingError, match="is not a checkpoint"):
        Run(recipe(), tmp_path)


def test_a_diverging_loss_stops_and_keeps_the_checkpoint(tmp_path):
    run = Run(recipe(), tmp_path)
    run.save()
    good = (tmp_path / CHECKPOINT).read_bytes()
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingError, match="the loss is nan at step 0; the last good checkpoint is kept"):
        run.train_step({2: CropSource(PAIRS[2], 24)})
    assert (tmp_path / CHECKPOINT).read_bytes() == good


def test_the_learning_rate_rises_and_falls():
    rates = [learning_rate(recipe(steps=100, warmup=10), step) for step in range(101)]
    assert rates[9] == max(rates) == 3e-3
    assert rates[0] < rates[5] < rates[9] > rates[50] > rates[99] > rates[100] == pytest.approx(0)


def test_the_checked_in_recipes_are_valid(pytestconfig):
    for path in sorted((pytestconfig.rootpath / "training" / "recipes").glob("*.toml")):
        model = load_recipe(path).model
        assert path.stem == f"{model.name}-{model.tune}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = ", "is not a valid recipe"),
        ("typo = 1", "unknown field `typo`"),
        ("", "missing required field"),
    ],
)
def test_bad_recipes_are_refused(tmp_path, text, message):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_recipe(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")

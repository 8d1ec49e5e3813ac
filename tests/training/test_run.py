"""A run is the state of a training: it stops, goes on to the bit, and starts from others."""

import json

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from tests.training.conftest import with_amx
from tests.training.runs import PAIRS, PHASES, phase, recipe, steps, trained
from training.amx import AmxError
from training.checkpoint import CHECKPOINT
from training.config import Loss, Optimizer, Size
from training.crops import CropSource
from training.errors import TrainingError
from training.loop import WEIGHTS
from training.losses import TaskWeights
from training.run import Run
from vs_emtcm.errors import UsageError


@pytest.mark.parametrize("killed_after", [2, 3, 4])
@pytest.mark.parametrize("optimizer", ["soap", "adam"])
def test_a_killed_run_goes_on_to_the_bit(tmp_path, killed_after, optimizer):
    settings = msgspec.structs.replace(recipe(), optimizer=Optimizer(name=optimizer, vector_rate=0.3))
    trained(tmp_path / "whole", settings)
    killed = Run(settings, tmp_path / "killed")
    steps(killed, min(killed_after, 3))
    if killed_after > 3:
        killed.begin_phase(1)
        steps(killed, killed_after - 3)
    killed.save()
    trained(tmp_path / "killed", settings)
    for name in (CHECKPOINT, WEIGHTS):
        whole, resumed = (load_file(tmp_path / run / name) for run in ("whole", "killed"))
        assert whole.keys() == resumed.keys()
        assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_the_seed_is_that_of_the_run_alone(tmp_path):
    """Another program's random numbers go on as if nothing had been trained."""
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = Run(recipe(), tmp_path / "first").form.state_dict()
    assert torch.equal(torch.rand(3), expected)
    second = Run(recipe(), tmp_path / "second").form.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_phase_begins_at_its_first_step(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(
        "training.stepper.Stepper.__call__", lambda _stepper, *arguments: told.append(arguments)
    )
    run = Run(recipe(), tmp_path)
    run.begin_phase(1)
    assert (run.step, run.end_of_phase()) == (3, 6)
    stepper = run.stepper({s: CropSource(PAIRS[s], 24, torch.device("cpu")) for s in (3, 4)})
    for _ in range(3):
        run.train_step(stepper)
    seeds, rates, decays = zip(*told, strict=True)
    # A warm-up of two steps to the peak; other crops than in the first phase; a memory that grows.
    assert rates == pytest.approx([1.5e-3, 3e-3, 3e-3])
    assert seeds == ((3, 3), (3, 4), (3, 5))
    assert decays == pytest.approx([1 / 10, 2 / 11, 3 / 12])


def test_the_averages_remember_as_long_as_the_recipe_says(tmp_path, monkeypatch):
    decays = []
    monkeypatch.setattr(
        "training.stepper.Stepper.__call__", lambda _stepper, _seed, _rate, decay: decays.append(decay)
    )
    run = Run(recipe((phase(steps=200),)), tmp_path)
    stepper = run.stepper({2: CropSource(PAIRS[2], 24, torch.device("cpu"))})
    for _ in range(200):
        run.train_step(stepper)
    assert decays == sorted(decays)
    assert decays[50] < decays[100] == decays[-1] == 0.9


def test_checkpoints_of_other_networks_and_recipes_are_refused(tmp_path):
    trained(tmp_path)
    other = msgspec.structs.replace(
        recipe(), model=msgspec.structs.replace(recipe().model, size=Size(channels=5, stage1=2, stage2=2))
    )
    for start in (CHECKPOINT, WEIGHTS):
        with pytest.raises(UsageError, match="of another network"):
            Run(other, tmp_path / "other", start=tmp_path / start)
    shallow = msgspec.structs.replace(
        recipe(), model=msgspec.structs.replace(recipe().model, size=Size(channels=4, stage1=2, stage2=1))
    )
    with pytest.raises(UsageError, match="of another network"):
        Run(shallow, tmp_path / "other", start=tmp_path / WEIGHTS)
    adam = msgspec.structs.replace(recipe(), optimizer=Optimizer(name="adam", vector_rate=0.3))
    video = msgspec.structs.replace(recipe(), model=msgspec.structs.replace(recipe().model, tune="video"))
    larger, shorter = recipe((phase(batch=4), PHASES[1])), recipe(PHASES[:1], scales=(2, 3, 4))
    for changed, difference in (
        (other, "model.shape.channels was 4, now it is 5"),
        (adam, "optimizer.name was soap, now it is adam"),
        (video, "model.tune was clean, now it is video"),
        (larger, r"phases\[0\].batch was 2, now it is 4"),
        (recipe(seed=4), "schedule.seed was 3, now it is 4"),
        (shorter, "the number of phases was 2, now it is 1"),
    ):
        with pytest.raises(UsageError, match=f"is a checkpoint of another recipe \\({difference}\\); start"):
            Run(changed, tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(b"broken")
    with pytest.raises(TrainingError, match="is not a checkpoint"):
        Run(recipe(), tmp_path)


def test_a_run_goes_on_where_only_its_future_or_its_log_is_changed(tmp_path):
    together = phase(scales=(2, 3, 4))
    trained(tmp_path, recipe((together,)))
    longer = trained(tmp_path, recipe((together, PHASES[1]), evaluate_every=2))
    assert (longer.phase, longer.step, longer.changes) == (1, 6, [])


def test_a_run_goes_on_at_another_learning_rate_and_says_so(tmp_path, capsys):
    run = Run(recipe(), tmp_path)
    steps(run, 2)
    run.save()
    lower = recipe((phase(learning_rate=1e-3, end_rate=1e-4), PHASES[1]))
    trained(tmp_path, lower)
    said = (
        "training: phases[0].learning_rate was 0.003, now it is 0.001; phases[0].end_rate was 0.0, now it is"
    )
    assert f"{said} 0.0001; the run goes on from step 2\n" in capsys.readouterr().err
    # From then on that is its recipe.
    assert Run(lower, tmp_path).changes == []


def test_a_run_goes_on_with_its_own_cache_alone(tmp_path):
    run = Run(recipe(), tmp_path, cache="one")
    run.save()
    assert Run(recipe(), tmp_path, cache="one").step == Run(recipe(), tmp_path).step == 0
    with pytest.raises(UsageError, match="of a training on another cache; give that cache, or start in"):
        Run(recipe(), tmp_path, cache="another")


def held(path) -> list[int]:
    header = path.read_bytes()
    size = int.from_bytes(header[:8], "little")
    return json.loads(json.loads(header[8 : 8 + size])["__metadata__"]["scales"])


def test_weights_files_hold_the_scales_that_were_trained_so_far(tmp_path):
    run = Run(recipe(), tmp_path)
    steps(run, 3)
    run.save()
    again = Run(recipe(), tmp_path)
    for number, unfinished in enumerate((run, again)):
        path = tmp_path / f"{number}.safetensors"
        unfinished.export(path)
        assert held(path) == [2]
        assert {name.partition("/")[0] for name in load_file(path)} == {"shared", "x2"}
    trained(tmp_path)
    assert held(tmp_path / WEIGHTS) == [2, 3, 4]


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ((phase(),), r"trains or starts x3, x4 of model.scales; add one, or write 'scales = \[2\]' under"),
        (
            (phase(scales=(2, 3)),),
            r"trains or starts x4 of model.scales; add one, or write 'scales = \[2, 3\]'",
        ),
        (
            (phase(scales=(3, 4), start={3: 2}), phase()),
            r"phases\[0\] starts x3 from x2, which has no weights",
        ),
    ],
)
def test_scales_that_would_have_no_weights_are_refused(tmp_path, phases, message):
    with pytest.raises(UsageError, match=message):
        Run(recipe(phases, scales=(2, 3, 4)), tmp_path)


def test_a_scale_of_the_weights_that_a_run_starts_from_needs_no_phase(tmp_path):
    trained(tmp_path / "first", recipe((phase(scales=(2, 3)),)))
    start = tmp_path / "first" / WEIGHTS
    last = (phase(scales=(4,), start={4: 3}),)
    second = trained(tmp_path / "second", recipe(last, scales=(2, 3, 4)), start=start)
    assert (second.held, held(tmp_path / "second" / WEIGHTS)) == ({2, 3, 4}, [2, 3, 4])
    with pytest.raises(UsageError, match=f"{start} holds no x4; start from another file, or let a phase"):
        Run(recipe((phase(),), scales=(2, 3, 4)), tmp_path / "third", start=start)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    run = Run(recipe(), tmp_path)
    run.save()
    good = (tmp_path / CHECKPOINT).read_bytes()
    with torch.no_grad():
        next(iter(run.trained.values())).view(-1)[0] = float("nan")
    with pytest.raises(TrainingError, match="not finite at step 0; the last good checkpoint is kept"):
        run.save()
    assert (tmp_path / CHECKPOINT).read_bytes() == good
    (tmp_path / CHECKPOINT).unlink()
    with pytest.raises(TrainingError, match=r"not finite at step 0; lower learning_rate of phases\[0\]"):
        run.save()


@pytest.mark.parametrize("value", [float("nan"), 1e4])
@pytest.mark.parametrize("pixel", ["charbonnier", "log"])
def test_a_diverging_loss_stops_and_keeps_the_checkpoint(tmp_path, pixel, value):
    run = Run(recipe((phase(pixel=pixel),)), tmp_path)
    run.save()
    good = (tmp_path / CHECKPOINT).read_bytes()
    with torch.no_grad():
        next(p for p in run.trained.values() if p.ndim == 2).fill_(value)
        run.trained["scales.x2.kernels.estimate1.matrix"].fill_(value)
    with pytest.raises(TrainingError, match="at step 1; the last good checkpoint is kept, lower"):
        steps(run, 1)
    assert (tmp_path / CHECKPOINT).read_bytes() == good


@pytest.mark.parametrize("pixel", ["charbonnier", "log"])
def test_heavy_tasks_and_stages_are_no_divergence(tmp_path, pixel):
    tasks = TaskWeights(luminance=100, contrast=100, structure=100, distribution=10)
    heavy = recipe((phase(pixel=pixel),), loss=Loss(stage1=50, stage2=50, tasks=tasks, sample=2))
    (loss,) = steps(Run(heavy, tmp_path), 1)
    assert loss > 1000


# Of torch itself, while it compiles.
@pytest.mark.filterwarnings("ignore")
def test_compiling_changes_nothing_but_speed(tmp_path):
    nothing = TaskWeights(luminance=0, contrast=0, structure=0, distribution=0)
    settings = recipe((phase(steps=2),))
    settings = msgspec.structs.replace(settings, loss=msgspec.structs.replace(settings.loss, tasks=nothing))
    eager, compiled = (Run(settings, tmp_path / str(c), compiled=c) for c in (False, True))
    assert steps(compiled, 2) == pytest.approx(steps(eager, 2), rel=1e-4)


@with_amx
def test_training_on_the_matrix_unit_goes_as_by_pytorch(tmp_path):
    settings = recipe((phase(steps=30, crop=40),), warmup=5)
    wide = msgspec.structs.replace(settings.model, size=Size(channels=16, stage1=2, stage2=2))
    settings = msgspec.structs.replace(settings, model=wide)
    by_pytorch, on_tiles = (steps(Run(settings, tmp_path / str(a), amx=a), 30) for a in (False, True))
    assert on_tiles[-1] < 0.9 * on_tiles[0]
    assert on_tiles == pytest.approx(by_pytorch, rel=0.05)


def test_the_matrix_unit_is_none_of_a_gpu(tmp_path):
    with pytest.raises(AmxError, match="train on cuda without --amx"):
        Run(recipe(), tmp_path, device=torch.device("cuda"), amx=True)

"""Training learns, and a killed run goes on as if nothing had happened."""

import json

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import codes
from tests.training.conftest import with_amx
from training.amx import AmxError
from training.cache import clean_pair, pack
from training.config import Loss, Model, Optimizer, Phase, Recipe, Schedule, Size
from training.crops import CropSource
from training.errors import TrainingError
from training.log import LOG
from training.loop import WEIGHTS, train
from training.losses import TaskWeights
from training.run import CHECKPOINT, Run
from vs_emtcm import PixelFormat, Upscaler

PAIRS = pack(clean_pair(codes(144, 144, seed=i), s) for s in (2, 3, 4) for i in range(2))


def phase(**settings) -> Phase:
    return Phase(**({"scales": (2,), "steps": 3, "batch": 2, "crop": 24, "learning_rate": 3e-3} | settings))


PHASES = (phase(), phase(scales=(3, 4), start={3: 2, 4: 2}, freeze_shared=True))


def recipe(phases=PHASES, scales=(), loss=None, **schedule) -> Recipe:
    scales = scales or sorted({s for phase in phases for s in (*phase.scales, *phase.start)})
    settings = {"warmup": 2, "ema": 0.9, "seed": 3, "evaluate_every": 3, "checkpoint_every": 3}
    return Recipe(
        model=Model(
            name="tiny",
            tune="clean",
            size=Size(channels=4, stage1=2, stage2=2),
            scales=tuple(scales),
            shared=("body1.0",),
        ),
        optimizer=Optimizer(name="soap", vector_rate=0.3),
        schedule=Schedule(**(settings | schedule)),
        loss=loss
        or Loss(
            stage1=0.5,
            tasks=TaskWeights(luminance=0.1, contrast=0.1, structure=0.1, distribution=0.01),
            sample=2,
        ),
        phases=phases,
    )


def trained(folder, settings=None, **options) -> Run:
    run = Run(settings or recipe(), folder, **options)
    train(run, PAIRS, PAIRS)
    return run


def steps(run, number):
    size = run.recipe.phases[run.phase].crop
    sources = {
        s: CropSource(PAIRS[s], size, torch.device("cpu")) for s in run.recipe.phases[run.phase].scales
    }
    step = run.stepper(sources)
    losses = []
    for _ in range(number):
        run.train_step(step)
        losses.append(run.loss(step))
    return losses


def test_training_learns(tmp_path):
    run = trained(tmp_path, recipe((phase(steps=60, scales=(2, 3, 4)),), evaluate_every=20))
    assert run.step == 60
    rows = [line.split(",") for line in (tmp_path / LOG).read_text().splitlines()]
    assert rows[0][:4] == ["step", "loss", "seconds", "x2/1 PSNR"]
    assert [row[0] for row in rows[1:]] == ["20", "40", "60"]
    assert float(rows[3][1]) < float(rows[1][1])
    assert float(rows[3][3]) > float(rows[1][3])


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


def test_the_log_of_a_resumed_run_has_no_step_twice(tmp_path):
    run = Run(recipe(), tmp_path)
    steps(run, 2)
    run.save()
    trained(tmp_path)
    (tmp_path / CHECKPOINT).unlink()
    steps(run, 0)
    run.save()
    trained(tmp_path)
    rows = [line.split(",")[0] for line in (tmp_path / LOG).read_text().splitlines()]
    assert rows == ["step", "3", "6"]


def test_a_phase_begins_at_its_first_step(tmp_path, monkeypatch):
    rates = []
    monkeypatch.setattr("training.step.Step.__call__", lambda _step, _seed, rate, _decay: rates.append(rate))
    run = Run(recipe(), tmp_path)
    run.begin_phase(1)
    assert (run.step, run.end_of_phase()) == (3, 6)
    step = run.stepper({s: CropSource(PAIRS[s], 24, torch.device("cpu")) for s in (3, 4)})
    for _ in range(3):
        run.train_step(step)
    # A warm-up of two steps to the peak.
    assert rates == pytest.approx([1.5e-3, 3e-3, 3e-3])


def test_a_phase_changes_its_own_scales_alone(tmp_path):
    run = trained(tmp_path)
    first = Run(recipe(), tmp_path / "first")
    steps(first, 3)
    for name, value in first.average.items():
        if name.startswith(("shared.", "scales.x2.")):
            assert torch.equal(value, run.average[name])
    assert not torch.equal(
        run.average["scales.x3.kernels.fuse.matrix"], first.average["scales.x3.kernels.fuse.matrix"]
    )


def test_the_exported_file_is_a_model_of_the_product(tmp_path):
    run = trained(tmp_path)
    luma = codes(20, 20)
    for scale in (2, 3, 4):
        upscaler = Upscaler(scale, model=str(tmp_path / WEIGHTS), device="cpu")
        result = upscaler.upscale([luma], PixelFormat(family="gray"))[0]
        x = torch.from_numpy(luma.astype(np.float32))[None, None] / 255
        with torch.no_grad():
            expected = (run.averaged().deployed(scale)(x) * 255).round().clamp(0, 255)[0, 0]
        np.testing.assert_allclose(result.astype(int), expected.numpy(), atol=1)


def test_every_evaluation_leaves_a_sample_sheet_and_a_board(tmp_path):
    trained(tmp_path)
    sheets = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert sheets == ["x2-000003.png", "x3-000006.png", "x4-000006.png"]
    assert any((tmp_path / "tensorboard").iterdir())


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


def test_checkpoints_of_other_networks_and_recipes_are_refused(tmp_path):
    trained(tmp_path)
    other = msgspec.structs.replace(
        recipe(), model=msgspec.structs.replace(recipe().model, size=Size(channels=5, stage1=2, stage2=2))
    )
    for start in (CHECKPOINT, WEIGHTS):
        with pytest.raises(TrainingError, match="of another network"):
            Run(other, tmp_path / "other", start=tmp_path / start)
    shallow = msgspec.structs.replace(
        recipe(), model=msgspec.structs.replace(recipe().model, size=Size(channels=4, stage1=2, stage2=1))
    )
    with pytest.raises(TrainingError, match="of another network"):
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
        with pytest.raises(
            TrainingError, match=f"is a checkpoint of another recipe \\({difference}\\); start"
        ):
            Run(changed, tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(b"broken")
    with pytest.raises(TrainingError, match="is not a checkpoint"):
        Run(recipe(), tmp_path)


def test_a_run_goes_on_where_only_its_future_or_its_log_is_changed(tmp_path):
    together = phase(scales=(2, 3, 4))
    trained(tmp_path, recipe((together,)))
    longer = trained(tmp_path, recipe((together, PHASES[1]), evaluate_every=2))
    assert (longer.phase, longer.step, longer.changes) == (1, 6, "")


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
    assert Run(lower, tmp_path).changes == ""


def test_a_run_goes_on_with_its_own_cache_alone(tmp_path):
    run = Run(recipe(), tmp_path, cache="one")
    run.save()
    assert Run(recipe(), tmp_path, cache="one").step == Run(recipe(), tmp_path).step == 0
    with pytest.raises(TrainingError, match="of a training on another cache; give that cache, or start in"):
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
    with pytest.raises(TrainingError, match=message):
        Run(recipe(phases, scales=(2, 3, 4)), tmp_path)


def test_a_scale_of_the_weights_that_a_run_starts_from_needs_no_phase(tmp_path):
    trained(tmp_path / "first", recipe((phase(scales=(2, 3)),)))
    start = tmp_path / "first" / WEIGHTS
    last = (phase(scales=(4,), start={4: 3}),)
    second = trained(tmp_path / "second", recipe(last, scales=(2, 3, 4)), start=start)
    assert (second.held, held(tmp_path / "second" / WEIGHTS)) == ({2, 3, 4}, [2, 3, 4])
    with pytest.raises(TrainingError, match=f"{start} holds no x4; start from another file, or let a phase"):
        Run(recipe((phase(),), scales=(2, 3, 4)), tmp_path / "third", start=start)


def test_files_are_as_readable_as_any_new_file(tmp_path):
    trained(tmp_path)
    (tmp_path / "new").touch()
    modes = {(tmp_path / name).stat().st_mode for name in ("new", CHECKPOINT, WEIGHTS)}
    assert len(modes) == 1


def test_the_loss_in_the_log_is_that_of_all_steps_though_the_run_was_killed(tmp_path, monkeypatch):
    settings = recipe((phase(steps=6, scales=(2, 3, 4)),), evaluate_every=6, checkpoint_every=2)
    trained(tmp_path / "whole", settings)
    save = Run.save

    def save_once(run):
        save(run)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", save_once)
        with pytest.raises(KeyboardInterrupt, match="interrupted; the last checkpoint is kept"):
            trained(tmp_path / "killed", settings)
    trained(tmp_path / "killed", settings)
    whole, killed = (
        [row.split(",")[:2] for row in (tmp_path / run / LOG).read_text().splitlines()]
        for run in ("whole", "killed")
    )
    assert whole == killed
    assert len(whole) == 2


def test_a_finished_run_gives_its_weights_again(tmp_path):
    trained(tmp_path)
    weights = load_file(tmp_path / WEIGHTS)
    (tmp_path / WEIGHTS).unlink()
    trained(tmp_path)
    torch.testing.assert_close(load_file(tmp_path / WEIGHTS), weights, rtol=0, atol=0)


def test_what_would_stop_a_later_phase_is_said_before_the_first(tmp_path):
    run = Run(recipe((phase(), phase(scales=(4,), crop=100))), tmp_path)
    with pytest.raises(ValueError, match="no x4 picture is large enough for crops of 100"):
        train(run, PAIRS, PAIRS)
    assert run.step == 0


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


def test_a_cache_without_a_scale_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="the validation cache holds no pairs for x3, x4"):
        train(Run(recipe(), tmp_path), PAIRS, {2: PAIRS[2]})


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


def test_the_exported_file_says_what_it_is(tmp_path):
    trained(tmp_path)
    header = (tmp_path / WEIGHTS).read_bytes()
    size = int.from_bytes(header[:8], "little")
    metadata = json.loads(header[8 : 8 + size])["__metadata__"]
    assert (metadata["format"], metadata["name"], metadata["tune"]) == ("emtcm-1", "tiny", "clean")
    assert (metadata["channels"], metadata["stage1"], metadata["stage2"]) == ("4", "2", "2")

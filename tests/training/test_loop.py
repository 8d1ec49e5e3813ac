"""The loop goes through the phases, and leaves a log, samples and weights."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.material import codes
from tests.training.runs import PAIRS, phase, recipe, steps, trained
from training.checkpoint import CHECKPOINT
from training.errors import TrainingError
from training.log import LOG
from training.loop import WEIGHTS, train
from training.optimizers import Optimizers
from training.pairs import clean_pair
from training.run import Run
from training.store import pack
from vs_emtcm import PixelFormat, Upscaler
from vs_emtcm.errors import UsageError


def test_training_learns(tmp_path):
    run = trained(tmp_path, recipe((phase(steps=60, scales=(2, 3, 4)),), evaluate_every=20))
    assert run.step == 60
    rows = [line.split(",") for line in (tmp_path / LOG).read_text().splitlines()]
    assert rows[0][:4] == ["step", "loss", "seconds", "x2/1 PSNR"]
    assert [row[0] for row in rows[1:]] == ["20", "40", "60"]
    assert float(rows[3][1]) < float(rows[1][1])
    assert float(rows[3][3]) > float(rows[1][3])


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


def test_flat_validation_pictures_are_named_once(tmp_path, capsys):
    flat = np.full((144, 144), 90, np.uint8)
    held_out = pack(clean_pair(luma, s) for s in (2, 3, 4) for luma in (codes(144, 144), flat))
    train(Run(recipe((phase(steps=4),), evaluate_every=1), tmp_path), PAIRS, held_out)
    said = "of the 2 validation pictures at x2, these are of one colour, and do not count in PSNR: 2\n"
    assert capsys.readouterr().err.count(said) == 1
    assert "inf" not in (tmp_path / LOG).read_text()


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


def test_weights_that_the_last_step_before_a_checkpoint_ruined_are_not_saved(tmp_path, monkeypatch):
    """Their loss shows one step later, when the good checkpoint would be gone."""
    settings = recipe((phase(steps=9, scales=(2, 3, 4)),), evaluate_every=9, checkpoint_every=3)
    update, calls = Optimizers.update, []

    def explode(optimizers):
        update(optimizers)
        calls.append(None)
        if len(calls) == 6:
            for kernel in (p for p in run.trained.values() if p.ndim == 2):
                kernel.data.fill_(1e4)

    monkeypatch.setattr(Optimizers, "update", explode)
    run = Run(settings, tmp_path)
    with pytest.raises(TrainingError, match="at step 6; the last good checkpoint is kept, lower"):
        train(run, PAIRS, PAIRS)
    assert all(bool(value.isfinite().all()) for value in run.form.state_dict().values())
    monkeypatch.setattr(Optimizers, "update", update)
    again = Run(settings, tmp_path)
    assert again.step == 3
    train(again, PAIRS, PAIRS)


def test_how_often_a_run_is_saved_changes_nothing(tmp_path):
    weights = []
    for every in (1, 2, 6):
        settings = recipe((phase(steps=6, scales=(2, 3, 4)),), evaluate_every=6, checkpoint_every=every)
        trained(tmp_path / str(every), settings)
        weights.append(load_file(tmp_path / str(every) / CHECKPOINT))
    for others in weights[1:]:
        torch.testing.assert_close(others, weights[0], rtol=0, atol=0)


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
    with pytest.raises(UsageError, match="no x4 picture is large enough for crops of 100"):
        train(run, PAIRS, PAIRS)
    assert run.step == 0


def test_a_cache_without_a_scale_is_refused(tmp_path):
    with pytest.raises(UsageError, match="the validation cache holds no pairs for x3, x4"):
        train(Run(recipe(), tmp_path), PAIRS, {2: PAIRS[2]})

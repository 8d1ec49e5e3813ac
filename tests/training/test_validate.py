"""Scores and sample sheets of a network in training."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.material import codes
from training.form import TrainedForm
from training.pairs import clean_pair
from training.validate import both_stages, flat_pictures, sample_sheet, validate
from vs_emtcm.network import Network
from vs_emtcm.shape import Shape

SHAPE = Shape(channels=4, stage1=1, stage2=2)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network(2, SHAPE)


def test_estimates_are_of_single_precision_whatever_a_program_allows(network, monkeypatch):
    seen, estimates = [], Network.estimates

    def watched(network, x):
        seen.append((torch.backends.cudnn.enabled, torch.backends.cudnn.allow_tf32))
        return estimates(network, x)

    monkeypatch.setattr(Network, "estimates", watched)
    for allowed in (True, False):
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=allowed):
            assert [plane.shape for plane in both_stages(network, codes(20, 24))] == [(40, 48)] * 2
            assert torch.backends.cudnn.allow_tf32 == allowed
    assert seen == [(True, False)] * 2


def test_a_flat_picture_does_not_count_in_psnr():
    torch.manual_seed(0)
    network = TrainedForm((2,), SHAPE, None, ()).deployed(2)
    pairs = [clean_pair(codes(60, 80), 2), clean_pair(np.full((60, 80), 90, np.uint8), 2)]
    alone, both = validate(network, pairs[:1]), validate(network, pairs)
    for stage in (1, 2):
        assert both[f"x2/{stage} PSNR"] == alone[f"x2/{stage} PSNR"] < 60
        assert both[f"x2/{stage} SSIM"] == pytest.approx((1 + alone[f"x2/{stage} SSIM"]) / 2)
    assert (flat_pictures(pairs), flat_pictures(pairs[:1])) == ([1], [])


def test_a_sample_sheet_is_there_whole_or_not_at_all(network, tmp_path, monkeypatch):
    pairs = [clean_pair(codes(60, 80, seed=seed), 2) for seed in range(2)]
    path = tmp_path / "samples" / "x2-000001.png"
    sample_sheet(network, pairs, path)
    with Image.open(path) as sheet:
        assert sheet.size == (4 * 80, 2 * 60)
        np.testing.assert_array_equal(np.asarray(sheet)[60:, 3 * 80 :], pairs[1].high)
    good, save = path.read_bytes(), Image.Image.save

    def interrupted(picture, target, *arguments, **options):
        save(picture, target, *arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sample_sheet(network, pairs[:1], path)
    assert path.read_bytes() == good
    assert list(path.parent.iterdir()) == [path]

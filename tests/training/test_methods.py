"""Methods keep what they are given."""

import numpy as np
import pytest

from training.methods import held_scales, interpolations, networks
from vs_emtcm.errors import UsageError


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_networks_and_interpolations_keep_the_levels_of_luma(scale):
    for level in (16.0, 60.4, 128.0, 235.0):
        flat = np.full((20, 24), level)
        for method in (*interpolations(scale).values(), *networks(["base-clean/1"], scale).values()):
            result = method(flat)
            assert result.shape == (20 * scale, 24 * scale)
            assert result.min() == result.max() == round(level)


def test_lanczos_has_three_lobes():
    low = np.zeros((1, 25))
    low[0, 12] = 200
    # Where the samples of twice the size lie, as distances from the one that is not zero.
    distance = (np.arange(50) + 0.5) / 2 - 12.5
    kernel = np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0)
    (row, _) = interpolations(2)["lanczos"](low)
    np.testing.assert_allclose(row, (200 * kernel).clip(0), atol=2)


@pytest.mark.parametrize(
    "name", ["runs/mine/2", "bicubic/1", "base-foo/1", "base/1", "base-clean", "base-clean/3"]
)
def test_names_of_no_network_are_refused_by_their_name(name):
    with pytest.raises(UsageError, match=f"network is '{name}'; give a model and its stages, such as"):
        networks([name], 2)


def test_a_folder_is_no_weights_file(tmp_path):
    folder = tmp_path / "a.safetensors"
    folder.mkdir()
    with pytest.raises(UsageError, match="is a folder; give a weights file"):
        held_scales([f"{folder}/1"])
    with pytest.raises(UsageError, match="is a folder; give a weights file"):
        networks([f"{folder}/1"], 2)

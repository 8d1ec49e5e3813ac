"""Sub-pixels of one scale become those of another."""

import pytest
import torch

from training.subpixels import subpixel_interpolation


@pytest.mark.parametrize(("source", "target"), [(2, 3), (2, 4), (3, 4), (4, 2), (3, 3)])
def test_subpixels_of_a_plane_are_interpolated_to_the_same_plane(source, target):
    def plane(scale):
        position = (torch.arange(scale) + 0.5) / scale - 0.5
        return (2 + 3 * position[:, None] - position[None, :]).reshape(-1)

    torch.testing.assert_close(subpixel_interpolation(source, target) @ plane(source), plane(target))

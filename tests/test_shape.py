"""The size of a network comes from its file, and says how far it sees and what it costs."""

import pytest

from vs_emtcm.shape import Shape, macs_per_pixel, receptive_radius

SHAPE = Shape(channels=4, stage1=2, stage2=3)


def test_a_shape_is_read_from_metadata():
    metadata = {"channels": "4", "stage1": "2", "stage2": "3", "tune": "video"}
    assert Shape.from_metadata(metadata) == SHAPE


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"channels": "4", "stage1": "2"}, KeyError),
        ({"channels": "four", "stage1": "2", "stage2": "3"}, ValueError),
        ({"channels": "4", "stage1": "0", "stage2": "3"}, ValueError),
    ],
)
def test_metadata_that_give_no_shape_are_refused(metadata, error):
    with pytest.raises(error):
        Shape.from_metadata(metadata)


def test_the_radius_adds_up_over_the_layers():
    # One 5x5 layer, two 3x3 layers, the estimate; then three 3x3 layers, the second estimate.
    assert receptive_radius(SHAPE, 1) == 2 + 2 + 1
    assert receptive_radius(SHAPE, 2) == 5 + 3 + 1


def test_the_cost_adds_up_over_the_layers():
    # 5x5: head (1 to 4) and interpolation (1 to 4); 3x3: twice 4 to 4, then 4 to 4 sub-pixels.
    first = 25 * (4 + 4) + 9 * (2 * 16 + 16)
    assert macs_per_pixel(SHAPE, 2, 1) == first
    # 3x3: 8 to 4, twice 4 to 4, then 4 to 4 sub-pixels.
    assert macs_per_pixel(SHAPE, 2, 2) == first + 9 * (32 + 2 * 16 + 16)

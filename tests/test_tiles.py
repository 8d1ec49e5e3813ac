"""Tiles cover a picture and are all of one size."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vs_emtcm.tiles import checked_tile, even_tile, spans

SIDES = st.integers(1, 20_000)


@given(length=st.integers(1, 500), size=st.integers(1, 100))
def test_spans_cover_a_length_with_parts_of_one_size(length, size):
    parts = list(spans(length, size))
    assert {n for _, n in parts} == {parts[0][1]}
    assert parts[0][1] <= size
    assert parts[0][0] == 0
    assert sum(parts[-1]) == length
    # No gap, and no more than a sample twice.
    for (start, n), (following, _) in pairwise(parts):
        assert start + n - 1 <= following <= start + n


@given(width=SIDES, height=SIDES, pixels=st.sampled_from([1 << 17, 1 << 20]))
def test_even_tiles_bring_little_besides_themselves(width, height, pixels):
    down, across = even_tile(height, width, pixels)
    assert across * down <= pixels
    if width * height <= pixels:
        assert (across, down) == (width, height)
        return
    tiles = math.ceil(width / across) * math.ceil(height / down)
    # Of square tiles it would be a tenth at most.
    assert tiles * (across + 16) * (down + 16) <= 1.15 * (width + 16) * (height + 16)


@pytest.mark.parametrize(
    ("picture", "pixels", "tile"),
    [
        ((540, 960), 1 << 20, (540, 960)),
        ((1080, 1920), 1 << 20, (1080, 960)),
        ((2160, 3840), 1 << 20, (1080, 960)),
        ((1080, 1920), 1 << 17, (270, 480)),
        ((5000, 100), 1 << 17, (1250, 100)),
    ],
)
def test_tiles_of_common_pictures(picture, pixels, tile):
    assert even_tile(*picture, pixels) == tile


@pytest.mark.parametrize(
    ("tile", "size"), [(None, None), (0, (0, 0)), (64, (64, 64)), ((64, 24), (24, 64)), ([16, 16], (16, 16))]
)
def test_a_tile_is_given_as_width_and_height_and_kept_as_height_and_width(tile, size):
    assert checked_tile(tile) == size

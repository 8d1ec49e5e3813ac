"""A profile is three sizes in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt_build import BuildError, Profile
from trt_build.profile import parse_size

SIZES = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


@given(SIZES, SIZES, SIZES, st.integers(0, 20))
def test_a_border_grows_every_size(a, b, c, border):
    heights, widths = (sorted(values) for values in zip(a, b, c, strict=True))
    sizes = list(zip(heights, widths, strict=True))
    profile = Profile(minimum=sizes[0], optimum=sizes[1], maximum=sizes[2])
    grown = profile.grown(border)
    assert grown.static == profile.static == (sizes[0] == sizes[2])
    assert grown.optimum == (sizes[1][0] + 2 * border, sizes[1][1] + 2 * border)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (((0, 8), (8, 8), (8, 8)), "8x0 is no size"),
        (((16, 16), (8, 8), (32, 32)), "16x16, 8x8, 32x32 are not in order"),
        (((8, 8), (8, 64), (32, 32)), "are not in order"),
        (((8, 8), (8, 8), (8, 99999)), "99999x8 is too large"),
    ],
)
def test_impossible_profiles_are_refused(sizes, message):
    with pytest.raises(BuildError, match=message):
        Profile(minimum=sizes[0], optimum=sizes[1], maximum=sizes[2])


def test_sizes_are_read_as_width_times_height():
    assert parse_size("1920x1080") == (1080, 1920)
    for text in ("1920", "x", "1920x-1", "axb", ""):
        with pytest.raises(BuildError, match="give width and height like 1920x1080"):
            parse_size(text)

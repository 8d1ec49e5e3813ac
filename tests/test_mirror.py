"""Beyond its edges a picture is mirrored, as numpy does it and as the benchmarks' reduction does."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.material import codes
from training.imresize import downscale
from vs_emtcm.mirror import mirrored

SIDE = st.integers(1, 9)


@given(height=SIDE, width=SIDE, border=st.integers(0, 30))
def test_it_is_half_sample_symmetric_padding_whatever_the_size(height, width, border):
    picture = np.random.default_rng(0).random((height, width))
    expected = np.pad(picture, border, mode="symmetric")
    assert np.array_equal(mirrored(torch.from_numpy(picture)[None, None], border)[0, 0].numpy(), expected)


def test_the_reduction_of_a_mirrored_picture_is_the_mirrored_reduction():
    picture = codes(40, 60)
    wide = mirrored(torch.from_numpy(picture.copy()), 24).numpy()
    expected = mirrored(torch.from_numpy(downscale(picture, 2)), 12).numpy()
    inside = (slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(downscale(wide, 2)[inside], expected[inside], atol=1e-9)

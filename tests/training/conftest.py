"""What the tests of several modules need."""

import pytest
from PIL import Image

from tests.material import codes
from training.amx import AmxError
from training.amx.library import load_library


def unavailable() -> str | None:
    try:
        load_library()
    except AmxError as error:
        return str(error)
    return None


with_amx = pytest.mark.skipif(unavailable() is not None, reason=f"no matrix unit: {unavailable()}")

# A tiny recipe; its tune is to be filled in.
RECIPE = """
[model]
name = "tiny"
tune = "{tune}"
shape = {{ channels = 4, stage1 = 1, stage2 = 2 }}

[optimizer]
name = "soap"
vector_rate = 0.3

[schedule]
warmup = 1
ema = 0.9
seed = 1
evaluate_every = 2
checkpoint_every = 2

[loss]
stage1 = 0.5
tasks = {{ luminance = 0.1, contrast = 0.1, structure = 0.1, distribution = 0.01 }}
sample = 1

[[phases]]
scales = [2, 3, 4]
steps = 2
batch = 1
crop = 24
learning_rate = 1e-3
"""


@pytest.fixture
def pictures(tmp_path):
    """A data folder of one set of two pictures."""
    folder = tmp_path / "data" / "Set"
    folder.mkdir(parents=True)
    for i in range(2):
        Image.fromarray(codes(300, 310, seed=i)).save(folder / f"{i}.png")
    return tmp_path / "data"

"""Pictures of a test set are found among others."""

import pytest
from PIL import Image

from tests.material import codes
from training.similar import find_similar


@pytest.mark.parametrize("change", ["same", "smaller", "compressed", *Image.Transpose])
def test_a_picture_of_a_test_set_is_found_again(tmp_path, change):
    small = Image.fromarray(codes(12, 12, seed=5))
    picture = small.resize((240, 240), Image.Resampling.BICUBIC)
    picture.save(tmp_path / "test.png")
    for i in range(4):
        other = Image.fromarray(codes(12, 12, seed=i)).resize((240, 240), Image.Resampling.BICUBIC)
        other.save(tmp_path / f"other{i}.png")
    copy = {
        "same": picture,
        "smaller": picture.resize((120, 120)),
        "compressed": picture,
        **{turn: picture.transpose(turn) for turn in Image.Transpose},
    }[change]
    copy.save(tmp_path / "copy.jpg", quality=40 if change == "compressed" else 95)
    pictures = [tmp_path / "copy.jpg", *(tmp_path / f"other{i}.png" for i in range(4))]
    assert find_similar(pictures, [tmp_path / "test.png"]) == [(tmp_path / "copy.jpg", tmp_path / "test.png")]

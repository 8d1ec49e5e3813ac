"""Pictures become pairs."""

import numpy as np
import pytest
from PIL import Image

from tests.material import codes
from tests.training.commands.command_line import run
from training.cache import read_cache
from training.methods import networks


def test_shifted_reductions_are_those_of_shifted_pictures(tmp_path, pictures):
    for arguments in ((), ("--shifted",)):
        out = tmp_path / f"cache{len(arguments)}"
        assert run("prepare", "--data", pictures, "--out", out, "--tune", "clean", *arguments).exit_code == 0
    plain, shifted = (read_cache(tmp_path / f"cache{i}") for i in (0, 1))
    for scale in (2, 3, 4):
        assert len(shifted[scale]) == 4 * len(plain[scale]) == 8
        first, last = shifted[scale][0], shifted[scale][3]
        assert np.array_equal(first.low, plain[scale][0].low)
        offset = scale // 2
        height, width = (n - 2 * scale for n in last.high.shape)
        assert np.array_equal(
            last.high[:height, :width], first.high[offset : offset + height, offset : offset + width]
        )
        assert not np.array_equal(last.low, first.low[: last.low.shape[0], : last.low.shape[1]])


def test_a_teacher_makes_half_of_every_target(tmp_path, pictures):
    plain, blended = tmp_path / "plain", tmp_path / "blended"
    arguments = ("prepare", "--data", pictures, "--tune", "clean")
    assert run(*arguments, "--out", plain).exit_code == 0
    assert run(*arguments, "--out", blended, "--teacher", "base-clean/1").exit_code == 0
    for scale in (2, 3, 4):
        network = networks(["base-clean/1"], scale)["base-clean/1"]
        truth, target = read_cache(plain)[scale][0], read_cache(blended)[scale][0]
        assert np.array_equal(truth.low, target.low)
        expected = (network(truth.low).astype(float) + truth.high) / 2
        assert np.abs(target.high - expected).mean() < 0.2 * np.abs(truth.high - expected).mean()
    result = run(*arguments, "--out", tmp_path / "none", "--teacher", "huge-clean/1")
    assert result.exit_code == 2
    assert "huge" in result.stderr


def test_several_encodes_are_of_the_same_pictures_and_differ(tmp_path, pictures):
    for encodes in (1, 2):
        out = tmp_path / f"cache{encodes}"
        arguments = ("--out", out, "--tune", "video", "--encodes", encodes)
        assert run("prepare", "--data", pictures, *arguments).exit_code == 0
    one, two = (read_cache(tmp_path / f"cache{encodes}") for encodes in (1, 2))
    for scale in (2, 3, 4):
        assert len(two[scale]) == 2 * len(one[scale]) == 4
        for number in (0, 1):
            first, second = two[scale][2 * number], two[scale][2 * number + 1]
            assert np.array_equal(first.low, one[scale][number].low)
            height, width = np.minimum(first.low.shape, second.low.shape)
            assert not np.array_equal(first.low[:height, :width], second.low[:height, :width])


@pytest.mark.parametrize(
    ("tune", "arguments", "message"),
    [
        ("video", ("--shifted",), "--shifted is for tune clean"),
        ("clean", ("--encodes", 2), "--encodes is for tune video"),
    ],
)
def test_each_tune_has_its_own_variants(tmp_path, pictures, tune, arguments, message):
    result = run("prepare", "--data", pictures, "--out", tmp_path / "out", "--tune", tune, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_pictures_of_a_test_set_are_refused(tmp_path, pictures):
    arguments = ("--data", pictures, "--out", tmp_path / "cache", "--tune", "clean")
    result = run("prepare", *arguments, "--against", pictures / "Set")
    assert result.exit_code == 2
    assert "of a test set, take them out" in result.stderr
    assert all(f"{name}.png (shows what" in result.stderr for name in (0, 1))
    assert not (tmp_path / "cache").exists()


def test_every_bad_picture_is_named_and_the_old_cache_stays(tmp_path, pictures):
    arguments = ("prepare", "--data", pictures, "--out", tmp_path / "cache", "--tune", "clean")
    assert run(*arguments).exit_code == 0
    before = (tmp_path / "cache" / "index.json").read_bytes()
    for name in ("a.png", "z.jpg"):
        (pictures / "Set" / name).write_bytes(b"x")
    for more in ((), ("--against", pictures)):
        result = run(*arguments, *more)
        assert result.exit_code == 2
        assert all(f"{name} cannot be read as a picture" in result.stderr for name in ("a.png", "z.jpg"))
    assert (tmp_path / "cache" / "index.json").read_bytes() == before


def test_pictures_that_are_left_out_are_counted(tmp_path, pictures):
    Image.fromarray(codes(200, 250)).save(pictures / "Set" / "smaller.png")
    result = run("prepare", "--data", pictures, "--out", tmp_path / "cache", "--tune", "clean")
    assert result.stdout.splitlines()[:3] == [
        "x2: 3 of 3 pictures",
        "x3: 3 of 3 pictures",
        "x4: 2 of 3 pictures, the others have a side under 256",
    ]

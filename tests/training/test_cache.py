"""What goes into a cache comes out of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.material import codes
from training.cache import CacheError, check_pixels, check_tune, fingerprint, read_cache, write_cache
from training.pairs import clean_pair
from training.pictures import PictureError
from vs_emtcm.errors import UsageError


def test_a_cache_gives_back_what_was_put_in(tmp_path):
    pairs = [clean_pair(codes(40 + i, 50, seed=i), scale) for i in range(3) for scale in (2, 3)]
    assert write_cache(tmp_path / "cache", pairs) == 6
    read = read_cache(tmp_path / "cache")
    for scale in (2, 3):
        for before, after in zip((p for p in pairs if p.scale == scale), read[scale], strict=True):
            np.testing.assert_array_equal(before.low, after.low)
            np.testing.assert_array_equal(before.high, after.high)


def test_a_cache_stays_until_the_next_is_whole(tmp_path):
    write_cache(tmp_path, [clean_pair(codes(40, 40), 2)])
    opened = read_cache(tmp_path)[2]

    def broken():
        yield clean_pair(codes(48, 48, seed=1), 2)
        raise PictureError("this one is broken")

    with pytest.raises(PictureError, match="broken"):
        write_cache(tmp_path, broken())
    assert write_cache(tmp_path, []) == 0
    np.testing.assert_array_equal(read_cache(tmp_path)[2][0].high, codes(40, 40))
    write_cache(tmp_path, [clean_pair(codes(48, 48, seed=1), 2)])
    np.testing.assert_array_equal(read_cache(tmp_path)[2][0].high, codes(48, 48, seed=1))
    np.testing.assert_array_equal(opened[0].high, codes(40, 40))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.json", "pixels.bin"]


def test_a_kill_between_its_two_files_leaves_no_cache_of_two_parts(tmp_path, monkeypatch):
    write_cache(tmp_path, [clean_pair(codes(40, 40), 2)])
    replace, replaced = Path.replace, []

    def killed(path, target):
        if replaced:
            raise KeyboardInterrupt
        replaced.append(target)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_cache(tmp_path, [clean_pair(codes(40, 40, seed=1), 2)])
    with pytest.raises(CacheError, match="holds no cache"):
        read_cache(tmp_path)


def test_other_pairs_have_another_fingerprint(tmp_path):
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        write_cache(tmp_path / name, [clean_pair(codes(40, 40, seed=seed), 2)])
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "same") != fingerprint(tmp_path / "other")


def test_bad_caches_are_refused(tmp_path):
    with pytest.raises(CacheError, match="holds no cache; make one"):
        read_cache(tmp_path)
    write_cache(tmp_path, [clean_pair(codes(40, 40), 2)])
    pixels = (tmp_path / "pixels.bin").read_bytes()
    (tmp_path / "pixels.bin").write_bytes(pixels + b"x")
    with pytest.raises(CacheError, match="is damaged"):
        read_cache(tmp_path)
    index = (tmp_path / "index.json").read_text()
    (tmp_path / "index.json").write_text(index.replace('"height": ', '"height": "x", "x": '))
    with pytest.raises(CacheError, match="is damaged"):
        read_cache(tmp_path)
    (tmp_path / "index.json").write_text("{}")
    with pytest.raises(CacheError, match="is damaged"):
        read_cache(tmp_path)
    (tmp_path / "index.json").write_text('{"format": 2, "pairs": []}')
    with pytest.raises(CacheError, match="is an empty cache"):
        read_cache(tmp_path)


@pytest.mark.parametrize(
    "row", [(5, 72, 72), (2, -72, -72), (2, 72.5, 72), (2, "72", 72), (2, 0, 72), (2, 24, 216), (2, 72)]
)
def test_an_index_that_contradicts_itself_is_refused(tmp_path, row):
    write_cache(tmp_path, [clean_pair(codes(80, 80), 2)])
    index = json.loads((tmp_path / "index.json").read_text())
    assert index["pairs"] == [{"scale": 2, "height": 72, "width": 72}]
    index["pairs"] = [dict(zip(("scale", "height", "width"), row, strict=False))]
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(CacheError, match="is damaged; run 'python -m training prepare' again"):
        read_cache(tmp_path)


def test_damaged_pixels_are_noticed(tmp_path):
    write_cache(tmp_path, [clean_pair(codes(80, 80), 2)])
    check_pixels(tmp_path)
    pixels = bytearray((tmp_path / "pixels.bin").read_bytes())
    pixels[1000:9000] = bytes(8000)
    (tmp_path / "pixels.bin").write_bytes(pixels)
    read_cache(tmp_path)
    with pytest.raises(CacheError, match="is damaged; run 'python -m training prepare' again"):
        check_pixels(tmp_path)


def test_a_cache_is_for_one_tune_and_an_old_one_does_not_say_which(tmp_path):
    pairs = [clean_pair(codes(40, 40), 2)]
    write_cache(tmp_path / "video", pairs, "video")
    write_cache(tmp_path / "old", pairs)
    check_tune(tmp_path / "video", "video")
    with pytest.raises(CacheError, match=r"for the tune 'video', and the recipe's is 'clean'; run .* clean"):
        check_tune(tmp_path / "video", "clean")
    for tune in ("clean", "video"):
        check_tune(tmp_path / "old", tune)
    # A run that began with the old one goes on with the new one.
    assert fingerprint(tmp_path / "video") == fingerprint(tmp_path / "old")
    assert "tune" not in json.loads((tmp_path / "old" / "index.json").read_text())


def test_two_that_write_to_one_cache_do_not_spoil_each_other(tmp_path):
    pair = clean_pair(codes(80, 80), 2)

    def while_another_begins():
        yield pair
        with pytest.raises(UsageError, match="another command writes to"):
            write_cache(tmp_path, [pair])
        yield pair

    assert write_cache(tmp_path, while_another_begins()) == 2
    assert len(read_cache(tmp_path)[2]) == 2

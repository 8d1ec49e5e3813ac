"""Pictures, cache and crops: what goes in comes out aligned, and bad files are named."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import codes
from training.cache import (
    SURROUNDINGS,
    CacheError,
    Pair,
    clean_pair,
    fingerprint,
    pack,
    read_cache,
    write_cache,
)
from training.codec import CRF_ENCODERS, degraded_pair, draw_degradation, encode_and_decode
from training.crops import CropSource
from training.imresize import downscale, to_8bit
from training.metrics import psnr
from training.pictures import PictureError, find_pictures, luma_of_rgb, read_luma
from training.similar import find_similar

CPU = torch.device("cpu")


def test_luma_is_bt601_studio_range():
    # Reference values of ITU-R BT.601 colour bars at 100 %.
    colours = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma_of_rgb(colours).round().tolist() == [[235, 16, 81, 145, 41]]


def test_bad_pictures_are_named(tmp_path):
    with pytest.raises(PictureError, match="is not a folder"):
        find_pictures(tmp_path / "none")
    with pytest.raises(PictureError, match="holds no picture"):
        find_pictures(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"x")
    with pytest.raises(PictureError, match=r"broken\.png cannot be read"):
        read_luma(tmp_path / "broken.png")
    Image.new("CMYK", (4, 4)).save(tmp_path / "print.jpg")
    with pytest.raises(PictureError, match=r"print\.jpg is a CMYK picture"):
        read_luma(tmp_path / "print.jpg")
    Image.new("F", (4, 4)).save(tmp_path / "float.tif")
    with pytest.raises(PictureError, match=r"float\.tif is a F picture; convert it"):
        read_luma(tmp_path / "float.tif")


@pytest.mark.parametrize("error", [RuntimeError, ValueError, EOFError])
def test_whatever_a_decoder_raises_names_the_picture(tmp_path, monkeypatch, error):
    Image.new("L", (4, 4)).save(tmp_path / "damaged.png")

    def damaged(*_, **__):
        raise error("no image item")

    monkeypatch.setattr(Image, "open", damaged)
    with pytest.raises(PictureError, match=r"damaged\.png cannot be read as a picture: no image item"):
        read_luma(tmp_path / "damaged.png")


def test_what_is_no_picture_of_the_user_is_passed_over(tmp_path):
    for path in (".hidden/a.png", "folder.png/b.png"):
        (tmp_path / path).parent.mkdir()
        Image.new("L", (4, 4)).save(tmp_path / path)
    (tmp_path / "._c.jpg").write_bytes(b"x")
    assert find_pictures(tmp_path) == [tmp_path / "folder.png" / "b.png"]


def test_pictures_too_large_for_pillow_are_named(tmp_path, monkeypatch):
    Image.new("L", (40, 40)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(PictureError, match=r"large\.png cannot be read as a picture"):
        read_luma(tmp_path / "large.png")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits_becomes_8_bits(tmp_path, suffix):
    deep = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(deep).save(tmp_path / f"deep.{suffix}")
    read = read_luma(tmp_path / f"deep.{suffix}")
    assert np.abs(read - deep / 257).max() <= 0.5


def test_palettes_and_alpha_are_read(tmp_path):
    Image.fromarray(codes(8, 8)).convert("P").save(tmp_path / "palette.png")
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_luma(tmp_path / "palette.png").shape == (8, 8)
    assert (read_luma(tmp_path / "clear.png") == 235).all()


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


def test_other_pairs_have_another_fingerprint(tmp_path):
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        write_cache(tmp_path / name, [clean_pair(codes(40, 40, seed=seed), 2)])
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "same") != fingerprint(tmp_path / "other")


def test_a_scale_alone_takes_no_more_room_than_its_own_pictures():
    pairs = [clean_pair(codes(72, 96, seed=i), s) for i in range(3) for s in (2, 3)]
    alone = pack(pairs)[3].alone()
    height, width = 24 + 2 * SURROUNDINGS, 32 + 2 * SURROUNDINGS
    assert alone.pixels.size == 3 * (1 + 9) * height * width
    for found, wanted in zip(alone, pairs[1::2], strict=True):
        np.testing.assert_array_equal(found.low, wanted.low)
        np.testing.assert_array_equal(found.high, wanted.high)


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


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_crops_stay_aligned_through_every_turn(scale):
    low = codes(30, 34)
    pair = Pair(scale=scale, low=low, high=low.repeat(scale, 0).repeat(scale, 1))
    lows, highs = CropSource(pack([pair])[scale], 16, CPU).draw(np.random.default_rng(0), 32)
    assert lows.shape == (32, 1, 16, 16)
    assert (highs == lows.repeat_interleave(scale, 2).repeat_interleave(scale, 3)).all()
    assert len({crop.numpy().tobytes() for crop in lows}) > 25


def test_of_two_crops_the_one_with_more_detail_is_taken():
    half = np.full((64, 64), 128, np.uint8)
    half[:, 32:] = codes(64, 32)
    lows, _ = CropSource(
        pack([Pair(scale=2, low=half, high=half.repeat(2, 0).repeat(2, 1))])[2], 8, CPU
    ).draw(np.random.default_rng(0), 200)
    flat = (lows.amax(dim=(1, 2, 3)) == lows.amin(dim=(1, 2, 3))).float().mean()
    # With its surroundings, 41 of 89 columns begin a flat crop.
    assert float(flat) == pytest.approx((41 / 89) ** 2, abs=0.08)


def test_pictures_smaller_than_a_crop_are_refused():
    with pytest.raises(ValueError, match="no x2 picture is large enough for crops of 64"):
        CropSource(pack([clean_pair(codes(40, 40), 2)])[2], 64, CPU)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_crop_at_an_edge_sees_the_mirrored_picture_as_the_upscaler_shows_it(scale):
    pair = clean_pair(codes(12 * scale, 12 * scale), scale)
    whole = pack([pair])[scale]
    low, high = CropSource(whole, 12 + 2 * SURROUNDINGS, CPU).draw(np.random.default_rng(0), 1)
    for crop, plane, border in ((low, pair.low, SURROUNDINGS), (high, pair.high, scale * SURROUNDINGS)):
        expected = np.pad(plane, border, mode="symmetric")
        turned = [np.rot90(t, k) for t in (expected, expected.T) for k in range(4)]
        assert any(np.array_equal((crop[0, 0] * 255).round().numpy(), t) for t in turned)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "mpeg4", "mpeg2video"])
def test_encoders_damage_more_at_lower_quality(encoder):
    frames = [codes(64, 64, seed=i) for i in range(3)]
    good, bad = (
        encode_and_decode(frames, encoder, q) for q in ((16, 34) if encoder in CRF_ENCODERS else (2, 8))
    )
    assert len(good) == len(bad) == 3
    assert psnr(good[1], frames[1], 0) > psnr(bad[1], frames[1], 0) + 2


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_degraded_pairs_stay_aligned(scale, seed):
    luma = to_8bit(np.asarray(Image.fromarray(codes(40, 40)).resize((300, 280)), float))
    rng = np.random.default_rng(seed)
    pair = degraded_pair(luma, scale, draw_degradation(rng), rng)
    assert pair.high.shape == (scale * pair.low.shape[0], scale * pair.low.shape[1])
    reduced = to_8bit(downscale(pair.high, scale))
    here = psnr(pair.low, reduced, 2)
    shifted = psnr(pair.low, np.roll(reduced, 1, axis=1), 2)
    assert here > shifted + 3


def test_grey_pictures_are_taken_as_they_are(tmp_path):
    # As published benchmarks do with Set14's "bridge".
    Image.fromarray(codes(8, 8)).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_luma(tmp_path / "grey.png"), codes(8, 8))


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

"""Chroma of JPEG files along luma."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.material import codes
from tests.pictures.samples import by_pillow, jpeg, striped
from vs_emtcm.pictures import read_picture
from vs_emtcm.pictures.jpeg_chroma import read_rgb


def test_colours_keep_to_the_edges_of_luma():
    truth = striped()
    data = jpeg(truth, quality=95, subsampling=2)
    ours, pillows = (np.square(p.astype(float) - truth).mean() for p in (read_rgb(data), by_pillow(data)))
    assert ours < 0.3 * pillows


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (1, 1), (2, 3), (17, 16)])
def test_where_chroma_is_flat_the_picture_is_pillows(size):
    grey = codes(*size)
    tinted = np.stack([grey // 2 + 60, grey // 2 + 40, grey // 2 + 20], axis=2)
    data = jpeg(tinted, quality=98, subsampling=2)
    difference = read_rgb(data).astype(int) - by_pillow(data)
    assert np.abs(difference).max() <= 6
    # Rounded, not cut off.
    assert size < (8, 8) or np.abs(difference.mean((0, 1))).max() < 0.25


def test_other_kinds_are_left_to_pillow():
    for data in (
        jpeg(striped(), quality=95, subsampling=0),
        jpeg(striped(), quality=95, subsampling=1),
        jpeg(codes(16, 16)),
        b"no picture",
        b"",
    ):
        assert read_rgb(data) is None


def test_pictures_are_read_so(tmp_path):
    (tmp_path / "in.jpg").write_bytes(data := jpeg(striped(), quality=95, subsampling=2))
    np.testing.assert_array_equal(read_picture(tmp_path / "in.jpg").pixels, read_rgb(data))


def test_files_of_which_libraries_make_different_pictures_are_pillows(tmp_path):
    """RGB without a word of it: Adobe's transform 0, which FFmpeg takes for 4:2:0 as well."""
    data = jpeg(striped(), quality=95, subsampling=2)
    assert data[2:4] == b"\xff\xe0"
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    length = int.from_bytes(data[4:6], "big")
    (tmp_path / "in.jpg").write_bytes(data[:2] + adobe + data[4 + length :])
    np.testing.assert_array_equal(
        read_picture(tmp_path / "in.jpg").pixels, by_pillow((tmp_path / "in.jpg").read_bytes())
    )


def test_a_picture_of_another_size_is_pillows(tmp_path, monkeypatch):
    (tmp_path / "in.jpg").write_bytes(data := jpeg(striped(), quality=95, subsampling=2))
    monkeypatch.setattr("vs_emtcm.pictures.jpeg_chroma.read_rgb", lambda _: np.zeros((48, 48, 3), np.uint8))
    np.testing.assert_array_equal(read_picture(tmp_path / "in.jpg").pixels, by_pillow(data))


def test_a_cameras_several_pictures_are_read_alike(tmp_path):
    photograph, preview = (Image.fromarray(striped()[: 48 // n, : 64 // n]) for n in (1, 2))
    path = tmp_path / "camera.jpg"
    pictures = {"save_all": True, "append_images": [preview]}
    photograph.save(path, format="MPO", quality=95, subsampling=2, **pictures)
    truth, pillows = striped().astype(float), by_pillow(path.read_bytes())
    ours = read_picture(path).pixels
    assert np.square(ours - truth).mean() < 0.5 * np.square(pillows - truth).mean()


def test_too_little_memory_is_not_called_damage(tmp_path, monkeypatch):
    def full(_):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    (tmp_path / "in.jpg").write_bytes(jpeg(striped(), quality=95, subsampling=2))
    monkeypatch.setattr("vs_emtcm.pictures.jpeg_chroma.read_rgb", full)
    with pytest.raises(MemoryError):
        read_picture(tmp_path / "in.jpg")


def test_half_precision_that_a_caller_asked_for_changes_nothing():
    data = jpeg(striped(), quality=95, subsampling=2)
    whole = read_rgb(data)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(read_rgb(data), whole)

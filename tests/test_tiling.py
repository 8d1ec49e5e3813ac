"""Tiles leave no seam, and are as small as the memory of the device asks for."""

import numpy as np
import pytest
import torch

from tests.material import codes
from vs_emtcm import EmtcmError, PixelFormat, Upscaler, chroma

GRAY = PixelFormat(family="gray")


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("tile", [16, (64, 24), (33, 47)])
def test_tiles_leave_no_seam(scale, stages, tile):
    luma = codes(113, 150, bits=16)
    format = PixelFormat(family="gray", bits=16)
    whole = Upscaler(scale, stages=stages, tile=0).upscale([luma], format)[0].astype(int)
    tiled = Upscaler(scale, stages=stages, tile=tile).upscale([luma], format)[0].astype(int)
    # 16-bit codes show 256 times less than what could change an 8-bit code.
    assert np.abs(whole - tiled).max() <= 2


def test_automatic_tiles_do_not_change_an_8_bit_picture():
    luma = codes(700, 300)
    whole = Upscaler(2, tile=0).upscale([luma], GRAY)[0].astype(int)
    automatic = Upscaler(2).upscale([luma], GRAY)[0].astype(int)
    different = np.abs(whole - automatic)
    assert different.max() <= 1
    assert (different > 0).mean() <= 1e-5


def test_no_tile_is_larger_than_the_engine_takes():
    upscaler = Upscaler(2, tune="clean", device="cpu", tile=0)
    luma = codes(90, 130)
    expected = upscaler.upscale([luma], GRAY)[0]
    radius = upscaler.engine.radius
    upscaler.engine.largest = (40, 60)
    upscaler.engine = SmallCard(upscaler.engine, (40 + 2 * radius) * (60 + 2 * radius))
    assert (upscaler.upscale([luma], GRAY)[0] != expected).mean() <= 1e-5


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")], ids=str
)
def test_a_machine_without_memory_is_one_sentence(monkeypatch, error):
    upscaler = Upscaler(2, device="cpu")

    def full(*_):
        raise error

    monkeypatch.setattr(upscaler._tiling, "upscale", full)
    with pytest.raises(EmtcmError, match="there is no memory for 16x16 pixels at 2x"):
        upscaler.upscale([codes(16, 16)], GRAY)


class SmallCard:
    """An engine whose card cannot hold more than so many pixels, those of earlier sizes included."""

    def __init__(self, engine, pixels):
        self.engine, self.pixels, self.kept = engine, pixels, set()

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def __call__(self, x):
        self.kept.add(x.shape)
        if sum(shape.numel() for shape in self.kept) > self.pixels:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.engine(x)

    def release(self):
        self.kept.clear()


def test_what_is_kept_for_another_size_makes_room(caplog):
    upscaler = Upscaler(2, tune="clean", device="cpu", tile=0)
    upscaler.engine = SmallCard(upscaler.engine, 100 * 100)
    for shape in ((70, 60), (60, 70), (70, 60)):
        upscaler.upscale([codes(*shape)], GRAY)
        assert len(upscaler.engine.kept) == 1
    assert not caplog.records


NO_ROOM = (
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
)


@pytest.mark.parametrize("error", NO_ROOM, ids=["pytorch", "cublas", "cuda", "cudnn"])
def test_chroma_that_finds_no_room_makes_smaller_tiles(monkeypatch, caplog, error):
    upscaler = Upscaler(2, tune="clean", device="cpu", tile=0)
    planes = codes(160, 200), codes(80, 100), codes(80, 100)
    format = PixelFormat(family="yuv", subsampling=(1, 1))
    expected = upscaler.upscale(planes, format)
    interpolated, tries = chroma.upscale, []

    def limited(*arguments):
        tries.append(upscaler.engine.kept)
        if max(map(max, upscaler.engine.kept)) > 180:
            raise error
        return interpolated(*arguments)

    upscaler.engine = SmallCard(upscaler.engine, 1 << 20)
    monkeypatch.setattr(chroma, "upscale", limited)
    for result, wanted in zip(upscaler.upscale(planes, format), expected, strict=True):
        assert (result != wanted).mean() <= 1e-5
    assert "going on in tiles" in caplog.text
    # Two tries of the whole picture, and both planes of chroma.
    assert len(tries) == 4


def test_other_errors_of_a_gpu_are_not_taken_for_a_small_card(monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    upscaler = Upscaler(2, device="cpu")
    monkeypatch.setattr(upscaler._tiling, "upscale", broken)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        upscaler.upscale([codes(16, 16)], GRAY)


def test_a_frame_that_does_not_fit_is_done_in_tiles_with_one_warning_for_all_lanes(caplog):
    upscaler = Upscaler(2, tune="clean", device="cpu", tile=0)
    luma = codes(270, 390)
    expected = upscaler.upscale([luma], GRAY)[0]
    upscaler.engine = card = SmallCard(upscaler.engine, 270 * 330)
    lanes = upscaler, upscaler.another()
    for lane in (*lanes, *lanes):
        lane.engine = card
        card.kept.clear()
        result = lane.upscale([luma], GRAY)[0]
        assert (result != expected).mean() <= 1e-5
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "not enough GPU memory for 390x270 pixels at once; going on in tiles" in caplog.text


def test_a_card_that_is_too_small_for_any_tile_is_said(caplog):
    upscaler = Upscaler(2, tune="clean", device="cpu")
    upscaler.engine = SmallCard(upscaler.engine, 100)
    with pytest.raises(
        EmtcmError, match="no room for 390x270 pixels at 2x, not even in tiles; use device 'cpu'"
    ):
        upscaler.upscale([codes(270, 390)], GRAY)


def test_a_squeeze_of_memory_is_forgotten_with_the_next_size():
    upscaler = Upscaler(2, tune="clean", device="cpu", tile=0)
    upscaler.engine = SmallCard(upscaler.engine, 0)
    with pytest.raises(EmtcmError):
        upscaler.upscale([codes(300, 300)], GRAY)
    upscaler.engine.pixels = 1 << 20
    for size, kept in ((300, 1), (301, 1), (300, 1)):
        upscaler.engine.kept.clear()
        upscaler.upscale([codes(size, size)], GRAY)
        assert len(upscaler.engine.kept) == kept
    assert {shape[-1] for shape in upscaler.engine.kept} == {300 + 2 * upscaler.engine.radius}


def test_a_tile_is_asked_for_as_width_and_height():
    upscaler = Upscaler(2, tune="clean", device="cpu", tile=(64, 24))
    upscaler.engine = card = SmallCard(upscaler.engine, 1 << 20)
    upscaler.upscale([codes(48, 128)], GRAY)
    border = 2 * card.radius
    assert {tuple(shape[2:]) for shape in card.kept} == {(24 + border, 64 + border)}

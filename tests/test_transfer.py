"""Planes arrive on the device, and come back, as they are."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.material import codes
from vs_emtcm import transfer
from vs_emtcm.transfer import HostBuffer, packed, pinned_is_faster, unpacked

CPU = torch.device("cpu")


def samples(rng, dtype, height, width):
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=(height, width)).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, (height, width), dtype, endpoint=True)


@given(
    dtype=st.sampled_from(["uint8", "uint16", "float16", "float32"]),
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4),
    frames=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_every_frame_of_a_lane_comes_back_unchanged(dtype, sizes, frames, seed):
    rng = np.random.default_rng(seed)
    buffer = HostBuffer(CPU, pinned=False)
    for _ in range(frames):
        planes = [samples(rng, dtype, *size) for size in sizes]
        values = unpacked(buffer.upload(planes), sizes)
        assert [v.shape for v in values] == [(1, 1, *size) for size in sizes]
        for value, plane in zip(values, planes, strict=True):
            np.testing.assert_array_equal(value[0, 0].numpy(), plane.astype(np.float32))
        targets = [np.empty_like(plane) for plane in planes]
        buffer.download(packed(value.to(getattr(torch, dtype)) for value in values), targets)
        for target, plane in zip(targets, planes, strict=True):
            np.testing.assert_array_equal(target, plane)


def test_planes_may_be_read_only_and_have_any_strides():
    plane = codes(12, 20)[::-2, ::3]
    plane.setflags(write=False)
    sent = HostBuffer(CPU, pinned=False).upload([plane])
    np.testing.assert_array_equal(sent.numpy().reshape(plane.shape), plane)


def test_memory_is_kept_from_frame_to_frame(monkeypatch):
    asked = []
    empty = torch.empty

    def counted(*size, **options):
        asked.append(size[0])
        return empty(*size, **options)

    monkeypatch.setattr(torch, "empty", counted)
    buffer = HostBuffer(CPU, pinned=False)
    for height in (10, 10, 8, 12, 10):
        buffer.upload([codes(height, 6)])
    assert asked == [0, 60, 72]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to page-lock memory for")
def test_without_page_locked_memory_ordinary_memory_serves(caplog):
    buffer = HostBuffer(CPU, pinned=True)
    plane = codes(4, 6)
    for _ in range(2):
        np.testing.assert_array_equal(buffer.upload([plane]).numpy().reshape(plane.shape), plane)
    (message,) = caplog.messages
    assert message.startswith("emtcm: page-locked memory cannot be had, ordinary memory is used: ")


@pytest.mark.parametrize(("page_locked", "ordinary"), [(1.0, 2.0), (2.0, 1.0)])
def test_the_memory_that_is_faster_here_is_taken(monkeypatch, page_locked, ordinary):
    def seconds(buffer):
        return page_locked if buffer.pinned else ordinary

    monkeypatch.setattr(transfer, "_trial_seconds", seconds)
    pinned_is_faster.cache_clear()
    assert pinned_is_faster(torch.device("cuda", 0)) == (page_locked < ordinary)
    pinned_is_faster.cache_clear()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to page-lock memory for")
def test_memory_that_cannot_be_had_is_not_taken():
    pinned_is_faster.cache_clear()
    assert not pinned_is_faster(CPU)
    pinned_is_faster.cache_clear()

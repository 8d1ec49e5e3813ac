"""Convolutions on the matrix unit give what PyTorch gives, and so do their gradients."""

import pytest
import torch
from torch.nn import functional as F

from tests.training.conftest import with_amx
from training.amx import AmxDetails, AmxError
from training.amx import library as amx_library
from training.amx.library import load_library
from training.details import torch_details
from vs_emtcm.network import Network
from vs_emtcm.shape import Shape

SHAPES = (
    Shape(channels=16, stage1=4, stage2=6),
    Shape(channels=32, stage1=2, stage2=3),
    Shape(channels=12, stage1=1, stage2=10),
    Shape(channels=16, stage1=2, stage2=1),
)


def smooth_crops(number, side):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(number, 1, side // 4, side // 4, generator=generator)
    return F.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1)


def random_state(scale, shape, slope):
    torch.manual_seed(scale)
    network = Network(scale, shape)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("slope"):
                value.fill_(slope)
            elif name.endswith("bias"):
                value.normal_(std=0.1)
            else:
                value.mul_(2)
    return {name: value.detach().requires_grad_() for name, value in network.state_dict().items()}


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


def both_ways(scale, shape, slope):
    low = smooth_crops(3, 48)
    weights = []
    results = []
    for details in (torch_details(scale, shape, low.device), AmxDetails(scale, shape, 48, 3)):
        state = random_state(scale, shape, slope)
        estimates = details(state, low)
        # The mean of squares: a gradient that is smooth over the picture.
        loss = sum((e + 0.05).square().mean() for e in estimates)
        results.append([e.detach() for e in estimates])
        weights.append(dict(zip(state, torch.autograd.grad(loss, list(state.values())), strict=True)))
    return *results, *weights


@with_amx
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(
    "shape", SHAPES, ids=["16 channels", "32 channels", "12 channels", "stage 2 of one layer"]
)
def test_without_kinks_details_and_all_gradients_are_those_of_pytorch(scale, shape):
    # With slopes of one the network is linear: nothing but rounding can differ.
    expected, found, expected_gradients, gradients = both_ways(scale, shape, 1.0)
    for e, f in zip(expected, found, strict=True):
        assert f.shape == e.shape
        assert relative(f, e) < 0.01
    for name, gradient in gradients.items():
        assert gradient.shape == expected_gradients[name].shape
        assert relative(gradient, expected_gradients[name]) < 0.03, name


@with_amx
@pytest.mark.parametrize("slope", [0.25, -0.5])
def test_negative_values_meet_their_slope(slope):
    expected, found, expected_gradients, gradients = both_ways(2, SHAPES[0], slope)
    for e, f in zip(expected, found, strict=True):
        assert relative(f, e) < 0.03
    for name, gradient in gradients.items():
        # A value near zero may round to the other side.
        assert relative(gradient, expected_gradients[name]) < 0.15, name


@with_amx
def test_a_batch_gives_the_sum_of_its_crops_gradients():
    low = smooth_crops(3, 48)
    shape = SHAPES[0]

    def gradient(details, crops):
        state = random_state(2, shape, 0.25)
        loss = sum(e.square().sum() for e in details(state, crops))
        return torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, list(state.values()))])

    single = AmxDetails(2, shape, 48, 1)
    parts = sum(gradient(single, low[i : i + 1]) for i in range(3))
    torch.testing.assert_close(gradient(AmxDetails(2, shape, 48, 3), low), parts, rtol=1e-3, atol=1e-4)


@with_amx
def test_the_number_of_threads_changes_no_detail():
    low, state = smooth_crops(3, 48), random_state(2, SHAPES[0], 0.25)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(AmxDetails(2, SHAPES[0], 48, 3)(state, low))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@with_amx
def test_other_crops_than_announced_are_refused():
    details = AmxDetails(2, SHAPES[0], 48, 3)
    with pytest.raises(ValueError, match="not 3 crops of 48 pixels"):
        details(random_state(2, SHAPES[0], 0.25), smooth_crops(2, 48))


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(AmxError, match="up to 32 channels, not 48"):
        AmxDetails(2, Shape(channels=48, stage1=1, stage2=1), 64, 1)


@pytest.fixture
def unloaded():
    load_library.cache_clear()
    yield
    load_library.cache_clear()


def test_other_systems_are_told_so(unloaded, monkeypatch):
    monkeypatch.setattr(amx_library.platform, "machine", lambda: "aarch64")
    with pytest.raises(AmxError, match="needs Linux on x86-64, this is linux on aarch64"):
        load_library()


def test_a_missing_compiler_is_named(unloaded, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(AmxError, match="needs a C\\+\\+ compiler"):
        load_library()


def test_what_the_compiler_says_is_passed_on(unloaded, monkeypatch, tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'x.cpp:1: error: something is wrong' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(AmxError, match=r"cannot compile network\.cpp: x\.cpp:1: error: something is wrong"):
        load_library()

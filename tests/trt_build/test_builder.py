"""Requests name all that an engine depends on; modules that do not fit are refused."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import ModuleType
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from tests.trt_build.modules import SMALL, Tiny
from trt_build import (
    BuildError,
    Profile,
    build,
    builder,
    convert,
    request,
    stored_engine,
)
from trt_build.frontend import front_end

pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_callers_module_stays_as_it_is(tmp_path, tiny):
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    build(tiny, scale=2, profile=SMALL, targets=("sm89",), out=tmp_path / "a.engine")
    assert all(torch.equal(before[name], value) for name, value in tiny.state_dict().items())


@pytest.mark.parametrize(
    ("change", "equal"),
    [
        ({}, True),
        ({"scale": 3}, False),
        ({"precision": "fp32"}, False),
        ({"targets": ("sm86",)}, False),
        ({"targets": ("sm89", "sm89")}, True),
        ({"profile": Profile(minimum=(8, 8), optimum=(32, 48), maximum=(64, 65))}, False),
    ],
)
def test_the_key_depends_on_all_that_matters(tiny, change, equal):
    settings = {"label": "tiny", "scale": 2, "profile": SMALL, "targets": ("sm89",)}
    first, second = request(tiny, **settings), request(tiny, **(settings | change))
    assert (first.key == second.key) == equal


def test_the_key_depends_on_the_weights_and_the_versions(tiny, monkeypatch):
    settings = {"label": "tiny", "scale": 2, "profile": SMALL, "targets": ("sm89",)}
    first = request(tiny, **settings)
    other = Tiny()
    assert request(other, **settings).key != first.key
    for name, version in (
        ("trt_build.builder.tensorrt_version", lambda: "rtx 9.9"),
        ("torch.__version__", "9.9.0+cu999"),
        ("trt_build.builder.BUILDER", 0),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(name, version)
            assert request(tiny, **settings).key != first.key
    assert request(tiny, **settings).key == first.key
    # Whatever PyTorch was made for, it exports the same.
    monkeypatch.setattr("torch.__version__", "9.9.0+cu999")
    assert request(tiny, **settings).torch == "9.9.0"


@pytest.mark.parametrize(("flavour", "equal"), [("rtx", True), ("full", False)])
def test_engines_of_full_tensorrt_are_for_one_kind_of_card(tiny, monkeypatch, flavour, equal):
    found = replace(builder.installation(), flavour=flavour)
    monkeypatch.setattr(builder, "installation", lambda: found)
    monkeypatch.setattr(builder, "tensorrt_version", lambda: "1")
    monkeypatch.setattr(builder, "present_target", lambda: "sm89")
    keys = set()
    for card in ("RTX 4070", "RTX 4090"):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda card=card: card)
        keys.add(request(tiny, label="tiny", scale=2, profile=SMALL).key)
    assert (len(keys) == 1) == equal


def test_the_key_depends_on_what_the_source_does(tmp_path):
    keys = []
    for name, sign in (("first", "+"), ("same", "+"), ("other", "-")):
        path = tmp_path / f"{name}_network.py"
        path.write_text(
            "from torch import nn\n\n\nclass Shift(nn.Module):\n"
            f"    def forward(self, x):\n        return x {sign} 1\n"
        )
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        with mock.patch.dict("sys.modules", {path.stem: module}):
            spec.loader.exec_module(module)
            keys.append(request(module.Shift(), label="", scale=1, profile=SMALL, targets=("sm89",)).key)
    assert keys[0] == keys[1] != keys[2]


def test_what_is_built_is_the_network_as_it_is_used(tiny, monkeypatch):
    built = []
    monkeypatch.setattr(builder, "serialized_engine", lambda module, *_, **__: built.append(module) or b"")
    wanted = request(tiny, label="", scale=2, profile=SMALL, targets=("sm89",))
    builder.compiled(tiny.train(), wanted, ahead=True)
    (module,) = built
    # Not in training, where some layers are random.
    assert not module.training
    assert tiny.training
    assert {p.dtype for p in module.parameters()} == {torch.float16}


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_nothing_is_multiplied_with_ten_bits_that_should_have_more(tmp_path, tiny, monkeypatch, precision):
    """TensorRT takes TF32 for single precision unless it is told otherwise."""
    aim, flags = convert._aim, []

    def watched(config, targets):
        import tensorrt

        flags.append(config.get_flag(tensorrt.BuilderFlag.TF32))
        aim(config, targets)

    monkeypatch.setattr(convert, "_aim", watched)
    out = tmp_path / "a.engine"
    build(tiny, scale=2, profile=SMALL, targets=("sm89",), precision=precision, out=out)
    assert flags == [False]


class Scaled(nn.Module):
    """Whose attributes are not to be seen in its parameters."""

    def __init__(self, **attributes):
        super().__init__()
        vars(self).update(attributes)

    def forward(self, x):
        return x * self.factor


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ({"factor": 1.0}, {"factor": 1.0}, True),
        ({"factor": 1.0}, {"factor": 8.0}, False),
        ({"function": torch.relu}, {"function": torch.relu}, True),
        ({"function": torch.relu}, {"function": torch.tanh}, False),
        ({"table": np.arange(9000)}, {"table": np.arange(9000)}, True),
        ({"table": torch.ones(3)}, {"table": torch.ones(3)}, True),
        ({"table": torch.ones(3)}, {"table": torch.zeros(3)}, False),
        ({"table": np.arange(9000)}, {"table": np.arange(9000)[::-1].copy()}, False),
        # Of these two the elements have another order.
        ({"taps": {0, 8}}, {"taps": {8, 0}}, True),
        ({"taps": {0, 8}}, {"taps": {0, 9}}, False),
        ({"taps": {0, 8}}, {"taps": [0, 8]}, False),
        ({"taps": {"a": [{0, 8}]}}, {"taps": {"a": [{8, 0}]}}, True),
    ],
)
def test_the_key_depends_on_the_attributes_of_every_part(first, second, equal):
    keys = [
        request(nn.Sequential(Scaled(**attributes)), label="", scale=1, profile=SMALL, targets=("sm89",)).key
        for attributes in (first, second)
    ]
    assert (keys[0] == keys[1]) == equal


def test_the_key_depends_on_the_kind_of_numbers():
    keys = set()
    for dtype in (torch.float32, torch.int32):
        module = nn.Module()
        module.register_buffer("table", torch.ones(3, dtype=dtype))
        keys.add(request(module, label="", scale=1, profile=SMALL, targets=("sm89",)).key)
    assert len(keys) == 2


def test_hooks_are_refused():
    for register in (nn.Module.register_forward_hook, nn.Module.register_forward_pre_hook):
        hooked = Tiny()
        register(hooked, lambda *_: None)
        with pytest.raises(BuildError, match="the network has a forward hook"):
            request(hooked, label="", scale=1, profile=SMALL, targets=("sm89",))


def test_a_target_is_needed(tiny):
    with pytest.raises(BuildError, match="no target was given"):
        request(tiny, label="", scale=1, profile=SMALL, targets=())


def test_a_module_that_cannot_be_told_apart_is_refused():
    settings = {"label": "", "scale": 1, "profile": SMALL, "targets": ("sm89",)}
    with pytest.raises(BuildError, match=r"attribute '0.function' is a function that cannot be compared"):
        request(nn.Sequential(Scaled(function=lambda x: x)), **settings)
    typed = type("Typed", (nn.Module,), {"__module__": "__main__"})
    nowhere = mock.patch.dict("sys.modules", {"__main__": ModuleType("__main__")})
    with nowhere, pytest.raises(BuildError, match="source of module '__main__' cannot be read"):
        request(typed(), **settings)


def test_without_a_gpu_a_target_is_needed(tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BuildError, match="name a GPU with a target such as sm89"):
        request(tiny, label="tiny", scale=2, profile=SMALL)
    with pytest.raises(BuildError, match="precision is 'int4'; accepted are fp16, fp32"):
        request(tiny, label="tiny", scale=2, profile=SMALL, precision="int4", targets=("sm89",))


class Unknown(nn.Module):
    def forward(self, x):
        return torch.linalg.det(x[..., :8, :8])[..., None, None]


class TwoOutputs(nn.Module):
    def forward(self, x):
        return x + 1, x * 2


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Unknown(), "TensorRT has no counterpart of|cannot be exported"),
        (TwoOutputs(), "has 1 inputs and 2 outputs; it must have one of each"),
    ],
)
def test_modules_that_do_not_fit_are_refused(tmp_path, module, message):
    with pytest.raises(BuildError, match=message):
        build(module, scale=1, profile=SMALL, targets=("sm89",), out=tmp_path / "a.engine")
    assert list(tmp_path.iterdir()) == []


def test_threads_may_build_other_engines_at_once(tmp_path, tiny):
    before = torch.cuda.get_device_capability

    def build_one(target):
        out = tmp_path / f"{target}.engine"
        return build(tiny, scale=2, profile=SMALL, targets=(target,), out=out), out

    with ThreadPoolExecutor(3) as pool:
        for built, path in pool.map(build_one, ("sm86", "sm89", "sm120")):
            assert stored_engine(path, built)
    assert torch.cuda.get_device_capability is before


def test_an_engine_for_the_gpu_at_hand_is_built_for_it(tmp_path, tiny, monkeypatch):
    aimed = []
    aim = convert._aim

    def watched(config, targets):
        aimed.append(targets)
        aim(config, targets)

    monkeypatch.setattr(convert, "_aim", watched)
    monkeypatch.setattr(builder, "present_target", lambda: "sm75")
    with front_end("sm75"):
        built = build(tiny, scale=2, profile=SMALL, out=tmp_path / "a.engine")
    assert built.targets == ("sm75",)
    assert aimed == [("sm75",)]


def test_a_gpu_that_tensorrt_rtx_does_not_know_is_refused_at_once(tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (9, 0))
    with pytest.raises(BuildError, match="this GPU is sm90; use PyTorch, or install full Torch-TensorRT"):
        request(tiny, label="tiny", scale=2, profile=SMALL)

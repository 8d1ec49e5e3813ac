"""A specification names all that an engine depends on."""

from dataclasses import replace

import pytest
import torch

from tests.trt_build.modules import SMALL, Tiny
from trt_build import BuildError, Profile, engine_spec, spec

pytestmark = pytest.mark.filterwarnings("ignore")

SETTINGS = {"label": "tiny", "scale": 2, "profile": SMALL, "targets": ("sm89",)}


@pytest.mark.parametrize(
    ("change", "equal"),
    [
        ({}, True),
        ({"label": "another name"}, True),
        ({"scale": 3}, False),
        ({"precision": "fp32"}, False),
        ({"targets": ("sm86",)}, False),
        ({"targets": ("sm89", "sm89")}, True),
        ({"profile": Profile(minimum=(8, 8), optimum=(32, 48), maximum=(64, 65))}, False),
    ],
)
def test_the_key_depends_on_all_that_matters(tiny, change, equal):
    first, second = engine_spec(tiny, **SETTINGS), engine_spec(tiny, **(SETTINGS | change))
    assert (first.key == second.key) == equal
    assert (first == second) == equal


def test_the_key_depends_on_the_weights_and_the_versions(tiny, monkeypatch):
    first = engine_spec(tiny, **SETTINGS)
    other = Tiny()
    assert engine_spec(other, **SETTINGS).key != first.key
    for name, version in (
        ("trt_build.spec.tensorrt_version", lambda: "rtx 9.9"),
        ("torch.__version__", "9.9.0+cu999"),
        ("trt_build.spec.BUILDER", 0),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(name, version)
            assert engine_spec(tiny, **SETTINGS).key != first.key
    assert engine_spec(tiny, **SETTINGS).key == first.key
    # Whatever PyTorch was made for, it exports the same.
    monkeypatch.setattr("torch.__version__", "9.9.0+cu999")
    assert engine_spec(tiny, **SETTINGS).torch == "9.9.0"


def test_a_specification_is_read_back_as_it_was(tiny):
    wanted = engine_spec(tiny, **SETTINGS)
    found = spec.EngineSpec.from_json(wanted.to_json())
    assert (found, found.label, found.key) == (wanted, "tiny", wanted.key)


@pytest.mark.parametrize(("flavour", "equal"), [("rtx", True), ("full", False)])
def test_engines_of_full_tensorrt_are_for_one_kind_of_card(tiny, monkeypatch, flavour, equal):
    found = replace(spec.installation(), flavour=flavour)
    monkeypatch.setattr(spec, "installation", lambda: found)
    monkeypatch.setattr(spec, "tensorrt_version", lambda: "1")
    monkeypatch.setattr(spec, "present_target", lambda: "sm89")
    keys = set()
    for card in ("RTX 4070", "RTX 4090"):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda card=card: card)
        keys.add(engine_spec(tiny, label="tiny", scale=2, profile=SMALL).key)
    assert (len(keys) == 1) == equal


def test_a_target_is_needed(tiny):
    with pytest.raises(BuildError, match="no target was given"):
        engine_spec(tiny, label="", scale=1, profile=SMALL, targets=())


def test_without_a_gpu_a_target_is_needed(tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BuildError, match="name a GPU with a target such as sm89"):
        engine_spec(tiny, label="tiny", scale=2, profile=SMALL)
    with pytest.raises(BuildError, match="precision is 'int4'; accepted are fp16, fp32"):
        engine_spec(tiny, **SETTINGS, precision="int4")


def test_a_gpu_that_tensorrt_rtx_does_not_know_is_refused_at_once(tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (9, 0))
    with pytest.raises(BuildError, match="this GPU is sm90; use PyTorch, or install full Torch-TensorRT"):
        engine_spec(tiny, label="tiny", scale=2, profile=SMALL)

"""An engine is built of the module as it is used; modules that do not fit are refused."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from tests.trt_build.modules import SMALL
from trt_build import (
    BuildError,
    build,
    builder,
    convert,
    engine_spec,
    entries,
    read_engine,
    spec,
    stored_engine,
)
from trt_build.frontend import front_end

pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_callers_module_stays_as_it_is(tmp_path, tiny):
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    build(tiny, scale=2, profile=SMALL, targets=("sm89",), out=tmp_path / "a.engine")
    assert all(torch.equal(before[name], value) for name, value in tiny.state_dict().items())


def test_paths_and_targets_may_be_plain_strings(tmp_path, tiny):
    path = str(tmp_path / "a" / "a.engine")
    found = build(tiny, scale=2, profile=SMALL, targets="sm89", out=path)
    assert found.targets == ("sm89",)
    assert stored_engine(path, found) == read_engine(path)
    assert [entry.spec for entry in entries(str(tmp_path / "a"))] == [found]


def test_a_place_that_cannot_be_written_is_known_before_the_work(tmp_path, tiny, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(builder, "serialized_engine", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(BuildError, match="cannot be written"):
        build(tiny, scale=2, profile=SMALL, targets=("sm89",), out=tmp_path / "file" / "a.engine")


def test_what_is_built_is_the_network_as_it_is_used(tiny, monkeypatch):
    built = []
    monkeypatch.setattr(builder, "serialized_engine", lambda module, *_, **__: built.append(module) or b"")
    wanted = engine_spec(tiny, label="", scale=2, profile=SMALL, targets=("sm89",))
    builder.compiled(tiny.train(), wanted, ahead=True)
    (module,) = built
    # Not in training, where some layers are random.
    assert not module.training
    assert tiny.training
    assert {p.dtype for p in module.parameters()} == {torch.float16}


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_nothing_is_multiplied_with_ten_bits_that_should_have_more(tmp_path, tiny, monkeypatch, precision):
    """TensorRT takes TF32 for single precision unless it is told otherwise."""
    set_targets, flags = convert._set_targets, []

    def watched(config, targets):
        import tensorrt

        flags.append(config.get_flag(tensorrt.BuilderFlag.TF32))
        set_targets(config, targets)

    monkeypatch.setattr(convert, "_set_targets", watched)
    out = tmp_path / "a.engine"
    build(tiny, scale=2, profile=SMALL, targets=("sm89",), precision=precision, out=out)
    assert flags == [False]


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
    set_targets = convert._set_targets

    def watched(config, targets):
        aimed.append(targets)
        set_targets(config, targets)

    monkeypatch.setattr(convert, "_set_targets", watched)
    monkeypatch.setattr(spec, "present_target", lambda: "sm75")
    with front_end("sm75"):
        built = build(tiny, scale=2, profile=SMALL, out=tmp_path / "a.engine")
    assert built.targets == ("sm75",)
    assert aimed == [("sm75",)]

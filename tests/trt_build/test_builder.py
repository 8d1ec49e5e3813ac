"""Real engines, built without a GPU."""

from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from trt_build import (
    BuildError,
    EngineFileError,
    Profile,
    build,
    build_into,
    builder,
    convert,
    get_or_build,
    request,
    stored_engine,
    verify,
)
from trt_build.container import read_engine
from trt_build.convert import _interpreted, check_network, exported
from trt_build.frontend import front_end
from trt_build.store import clear, engine_path, entries
from vs_emtcm import models
from vs_emtcm.engines.tensorrt_engine import PROFILE, engine_module

pytestmark = pytest.mark.filterwarnings("ignore")
SMALL = Profile(minimum=(8, 8), optimum=(32, 48), maximum=(64, 64))


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, x):
        return nn.functional.pixel_shuffle(self.conv(x), 2)


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return Tiny()


def layers(module, profile, dtype):
    """Type and output dtype of every layer of the TensorRT network."""
    program = exported(module.to(dtype).eval(), profile, dtype)
    with front_end("sm89"):
        network = _interpreted(program, profile, dtype).ctx.net
        ends = [network.get_input(0), network.get_output(0)]
        kinds = [network.get_layer(i) for i in range(network.num_layers)]
        return [(end.dtype.name, tuple(end.shape)) for end in ends], [
            (layer.type.name, layer.get_output(0).dtype.name) for layer in kinds
        ]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("name", ["base", "large"])
def test_the_shipped_networks_become_one_engine_of_half_precision(tmp_path, name, scale, stages):
    module, radius = engine_module(models.load(models.find(name, "video").path, scale), stages)
    profile = PROFILE.grown(radius)
    ends, inner = layers(module.half(), profile, torch.float16)
    assert ends == [("HALF", (1, 1, -1, -1)), ("HALF", (1, scale**2, -1, -1))]
    convolutions = [dtype for kind, dtype in inner if kind == "CONVOLUTION"]
    # Head, cubic, body and estimates: every convolution of the network, each in half precision.
    assert convolutions == ["HALF"] * sum(isinstance(m, nn.Conv2d) for m in module.modules()) + ["HALF"]
    assert "FLOAT" not in {dtype for _, dtype in inner}
    built = build(module, scale=scale, profile=profile, targets=("sm89", "sm120"), out=tmp_path / "a.engine")
    assert built.targets == ("sm89", "sm120")
    assert len(read_engine(tmp_path / "a.engine")) > 100_000


def test_static_and_single_precision_engines_are_built(tmp_path, tiny):
    static = Profile(minimum=(32, 48), optimum=(32, 48), maximum=(32, 48))
    ends, _ = layers(tiny, static, torch.float32)
    assert ends == [("FLOAT", (1, 1, 32, 48)), ("FLOAT", (1, 1, 64, 96))]
    build(tiny, scale=2, profile=static, precision="fp32", targets=("all",), out=tmp_path / "a.engine")
    assert verify_name(tmp_path / "a.engine").static


def verify_name(path):
    (entry,) = entries(path.parent)
    assert entry.request is not None
    return entry.request.profile


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
    monkeypatch.setattr("trt_build.builder.tensorrt_version", lambda: "rtx 9.9")
    assert request(tiny, **settings).key != first.key


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
    ],
)
def test_the_key_depends_on_the_attributes_of_every_part(first, second, equal):
    keys = [
        request(nn.Sequential(Scaled(**attributes)), label="", scale=1, profile=SMALL, targets=("sm89",)).key
        for attributes in (first, second)
    ]
    assert (keys[0] == keys[1]) == equal


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


def test_a_network_of_another_precision_is_noticed(tiny):
    program = exported(tiny.float(), SMALL, torch.float32)
    with front_end("sm89"):
        network = _interpreted(program, SMALL, torch.float32).ctx.net
        with pytest.raises(BuildError, match="became FLOAT, not HALF"):
            check_network(network, torch.float16)


def messages(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "trt_build.store"]


@pytest.fixture
def wanted(tiny):
    return request(tiny, label="tiny", scale=2, profile=SMALL, targets=("sm89",))


def test_the_store_builds_once(tmp_path, tiny, wanted, monkeypatch, caplog):
    caplog.set_level("INFO")
    first = get_or_build(tmp_path, tiny, wanted, ahead=True)
    assert messages(caplog) == ["building the TensorRT engine tiny for sm89"]
    monkeypatch.setattr("trt_build.store.compiled", None)
    assert get_or_build(tmp_path, tiny, wanted, ahead=True) == first
    path = engine_path(tmp_path, wanted)
    assert verify(path) == wanted
    assert [entry.path for entry in entries(tmp_path)] == [path]
    assert clear(tmp_path) == [path]
    assert entries(tmp_path) == []


def test_a_file_for_several_gpus_serves_each_of_them(tmp_path, tiny, wanted, monkeypatch):
    several = request(tiny, label="tiny", scale=2, profile=SMALL, targets=("sm86", "sm89"))
    path = build_into(tmp_path, tiny, several, ahead=True)
    assert path == engine_path(tmp_path, several)
    monkeypatch.setattr("trt_build.store.compiled", None)
    assert build_into(tmp_path, tiny, wanted, ahead=True) == path
    assert get_or_build(tmp_path, tiny, wanted, ahead=True) == read_engine(path)


def test_a_damaged_file_does_not_hide_another_that_serves(tmp_path, tiny, wanted, monkeypatch, caplog):
    paths = [
        build_into(
            tmp_path,
            tiny,
            request(tiny, label="tiny", scale=2, profile=SMALL, targets=("sm89", other)),
            ahead=True,
        )
        for other in ("sm86", "sm120")
    ]
    first, second = sorted(paths)
    first.write_bytes(first.read_bytes()[:-10])
    monkeypatch.setattr("trt_build.store.compiled", None)
    assert build_into(tmp_path, tiny, wanted, ahead=True) == second
    assert f"{first} is damaged" in caplog.text


def test_a_damaged_engine_is_built_again(tmp_path, tiny, wanted, caplog):
    first = get_or_build(tmp_path, tiny, wanted, ahead=True)
    path = engine_path(tmp_path, wanted)
    for content in (path.read_bytes()[:-10], b"", b"something else"):
        path.write_bytes(content)
        assert entries(tmp_path)[0].path == path
        assert len(get_or_build(tmp_path, tiny, wanted, ahead=True)) == pytest.approx(len(first), rel=0.1)
        assert verify(path) == wanted
    assert len([text for text in messages(caplog) if text.endswith("build it again")]) == 3


def test_an_engine_under_a_wrong_name_is_refused(tmp_path, tiny, wanted):
    get_or_build(tmp_path, tiny, wanted, ahead=True)
    path = engine_path(tmp_path, wanted)
    other = request(tiny, label="tiny", scale=2, profile=SMALL, targets=("sm86",))
    wrong = path.rename(engine_path(tmp_path, other))
    with pytest.raises(EngineFileError, match=r"holds an engine with targets \['sm89'\]|with targets"):
        stored_engine(wrong, other)
    with pytest.raises(EngineFileError, match="is named after another engine"):
        verify(wrong)


def test_a_store_that_cannot_be_written_is_a_warning(closed_folder, tiny, wanted, caplog):
    assert get_or_build(closed_folder, tiny, wanted, ahead=True)
    assert "was built but not kept" in caplog.text
    assert "cannot be written: Permission denied" in caplog.text
    assert entries(closed_folder) == []
    with pytest.raises(BuildError, match="cannot be written: Permission denied; choose another folder"):
        build_into(closed_folder, tiny, wanted, ahead=True)
    closed_folder.chmod(0)
    assert get_or_build(closed_folder, tiny, wanted, ahead=True)


def test_a_store_without_permission_still_gives_its_engines(closed_folder, tiny, wanted, monkeypatch):
    closed_folder.chmod(0o700)
    first = get_or_build(closed_folder, tiny, wanted, ahead=True)
    closed_folder.chmod(0o500)
    monkeypatch.setattr("trt_build.store.compiled", None)
    assert get_or_build(closed_folder, tiny, wanted, ahead=True) == first
    with pytest.raises(BuildError, match="cannot be deleted: Permission denied"):
        clear(closed_folder)


def test_two_processes_may_build_the_same_engine(tmp_path):
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        sizes = pool.map(_build_in_process, [str(tmp_path)] * 2)
    assert min(sizes) > 10_000
    (entry,) = entries(tmp_path)
    assert entry.problem is None
    verify(entry.path)
    assert len(list(tmp_path.iterdir())) == 1


def test_threads_that_want_one_engine_build_it_once(tmp_path, tiny, wanted, monkeypatch, caplog):
    caplog.set_level("INFO")
    with ThreadPoolExecutor(3) as pool:
        engines = list(pool.map(lambda _: get_or_build(tmp_path, tiny, wanted, ahead=True), range(3)))
    assert engines[0] == engines[1] == engines[2]
    assert messages(caplog) == ["building the TensorRT engine tiny for sm89"]


def test_threads_may_build_other_engines_at_once(tmp_path, tiny):
    before = torch.cuda.get_device_capability

    def build_one(target):
        out = tmp_path / f"{target}.engine"
        return build(tiny, scale=2, profile=SMALL, targets=(target,), out=out), out

    with ThreadPoolExecutor(3) as pool:
        for built, path in pool.map(build_one, ("sm86", "sm89", "sm120")):
            assert stored_engine(path, built)
    assert torch.cuda.get_device_capability is before


def _build_in_process(folder):
    import warnings
    from pathlib import Path

    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    module = Tiny()
    wanted = request(module, label="tiny", scale=2, profile=SMALL, targets=("sm89",))
    return len(get_or_build(Path(folder), module, wanted, ahead=True))


def test_exported_graphs_compute_the_module(tiny):
    program = exported(tiny.float(), SMALL, torch.float32)
    x = torch.rand(1, 1, 20, 50)
    np.testing.assert_allclose(program.module()(x).detach(), tiny(x).detach(), atol=1e-6)


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

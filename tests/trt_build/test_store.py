"""The store builds an engine once, and again when it has to."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from threading import Barrier

import pytest
import torch

from tests.trt_build.modules import SMALL, Tiny
from trt_build import (
    BuildError,
    EngineFileError,
    Profile,
    build_into,
    engine_spec,
    get_or_build,
    stored_engine,
    verify,
)
from trt_build.container import read_engine, write_engine
from trt_build.frontend import front_end
from trt_build.store import _find, clear, engine_path, entries

pytestmark = pytest.mark.filterwarnings("ignore")


def messages(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "trt_build.store"]


@pytest.fixture
def gpu():
    """Answers for a GPU that is not here: ``get_or_build`` builds for the one in this machine."""
    with front_end("sm89"):
        yield


@pytest.fixture
def wanted(tiny, gpu):
    return engine_spec(tiny, label="tiny", scale=2, profile=SMALL, targets=("sm89",))


def test_the_store_builds_once(tmp_path, tiny, wanted, monkeypatch, caplog):
    caplog.set_level("INFO")
    first = get_or_build(tmp_path, tiny, wanted)
    assert messages(caplog) == ["building the TensorRT engine tiny for sm89"]
    monkeypatch.setattr("trt_build.store.compiled", None)
    assert get_or_build(tmp_path, tiny, wanted) == first
    path = engine_path(tmp_path, wanted)
    assert verify(path) == wanted
    assert [entry.path for entry in entries(tmp_path)] == [path]
    assert clear(tmp_path) == [path]
    assert entries(tmp_path) == []


def test_a_file_for_several_gpus_serves_each_of_them(tmp_path, tiny, wanted, monkeypatch):
    several = engine_spec(tiny, label="tiny", scale=2, profile=SMALL, targets=("sm86", "sm89"))
    path = build_into(tmp_path, tiny, several, ahead=True)
    assert path == engine_path(tmp_path, several)
    monkeypatch.setattr("trt_build.store.compiled", None)
    assert build_into(tmp_path, tiny, wanted, ahead=True) == path
    assert get_or_build(tmp_path, tiny, wanted) == read_engine(path)


def test_an_engine_of_another_network_or_of_other_versions_serves_nobody(tmp_path, wanted):
    other = {
        "weights": "0" * 64,
        "scale": 3,
        "profile": Profile(minimum=(8, 8), optimum=(32, 48), maximum=(64, 65)),
        "precision": "fp32",
        "card": "a card",
        "flavour": "another",
        "torch_tensorrt": "0",
        "tensorrt": "0",
        "torch": "0",
        "builder": 0,
    }
    assert {*other, "label", "targets"} == {field.name for field in fields(wanted)}
    for name, value in other.items():
        stored = replace(wanted, **{name: value})
        path = engine_path(tmp_path, stored)
        assert path != engine_path(tmp_path, wanted)
        write_engine(path, stored.to_json(), name.encode())
        assert stored_engine(path, stored) == name.encode()
        with pytest.raises(EngineFileError, match=f"holds an engine with {name} "):
            stored_engine(path, wanted)
    assert _find(tmp_path, wanted) is None


def test_an_engine_is_found_whatever_its_label(tmp_path, tiny, wanted, monkeypatch):
    path = build_into(tmp_path, tiny, wanted, ahead=True)
    renamed = replace(wanted, label="renamed")
    assert engine_path(tmp_path, renamed).name == path.name.replace("tiny", "renamed")
    monkeypatch.setattr("trt_build.store.compiled", None)
    assert stored_engine(path, renamed) == read_engine(path)
    assert build_into(tmp_path, tiny, renamed, ahead=True) == path
    assert get_or_build(tmp_path, tiny, renamed) == read_engine(path)
    assert verify(path).label == "tiny"


def test_what_is_no_engine_of_ours_outlives_the_clearing(tmp_path, wanted):
    ours = engine_path(tmp_path, wanted)
    write_engine(ours, wanted.to_json(), b"engine")
    broken = tmp_path / f".{ours.name}.abc.partial"
    broken.write_bytes(b"half")
    other = tmp_path / "search.engine"
    other.write_bytes(b"of another program")
    assert clear(tmp_path) == sorted([ours, broken])
    assert list(tmp_path.iterdir()) == [other]


def test_a_damaged_engine_under_its_own_name_is_find(tmp_path, wanted):
    path = engine_path(tmp_path, wanted)
    write_engine(path, wanted.to_json(), b"engine")
    assert verify(path) == wanted
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    with pytest.raises(EngineFileError, match="is damaged; build it again"):
        verify(path)


def test_a_damaged_file_does_not_hide_another_that_serves(tmp_path, tiny, wanted, monkeypatch, caplog):
    paths = [
        build_into(
            tmp_path,
            tiny,
            engine_spec(tiny, label="tiny", scale=2, profile=SMALL, targets=("sm89", other)),
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
    first = get_or_build(tmp_path, tiny, wanted)
    path = engine_path(tmp_path, wanted)
    for content in (path.read_bytes()[:-10], b"", b"something else"):
        path.write_bytes(content)
        assert entries(tmp_path)[0].path == path
        assert len(get_or_build(tmp_path, tiny, wanted)) == pytest.approx(len(first), rel=0.1)
        assert verify(path) == wanted
    assert len([text for text in messages(caplog) if text.endswith("build it again")]) == 3


def test_an_engine_under_a_wrong_name_is_refused(tmp_path, tiny, wanted):
    get_or_build(tmp_path, tiny, wanted)
    path = engine_path(tmp_path, wanted)
    other = engine_spec(tiny, label="tiny", scale=2, profile=SMALL, targets=("sm86",))
    wrong = path.rename(engine_path(tmp_path, other))
    with pytest.raises(EngineFileError, match=r"holds an engine with targets \['sm89'\]|with targets"):
        stored_engine(wrong, other)
    with pytest.raises(EngineFileError, match="is named after another engine"):
        verify(wrong)


def test_a_store_that_cannot_be_written_is_said_before_the_build(closed_folder, tiny, wanted, monkeypatch):
    monkeypatch.setattr("trt_build.store.compiled", None)
    with pytest.raises(BuildError, match="cannot be written: Permission denied; choose another folder"):
        build_into(closed_folder, tiny, wanted, ahead=True)
    assert list(closed_folder.iterdir()) == []


def test_a_store_that_cannot_be_written_is_a_warning(closed_folder, tiny, wanted, caplog):
    assert get_or_build(closed_folder, tiny, wanted)
    assert "was built but not kept" in caplog.text
    assert "cannot be written: Permission denied" in caplog.text
    assert entries(closed_folder) == []
    with pytest.raises(BuildError, match="cannot be written: Permission denied; choose another folder"):
        build_into(closed_folder, tiny, wanted, ahead=True)
    closed_folder.chmod(0)
    assert get_or_build(closed_folder, tiny, wanted)


def test_a_store_without_permission_still_gives_its_engines(closed_folder, tiny, wanted, monkeypatch):
    closed_folder.chmod(0o700)
    first = get_or_build(closed_folder, tiny, wanted)
    closed_folder.chmod(0o500)
    monkeypatch.setattr("trt_build.store.compiled", None)
    assert get_or_build(closed_folder, tiny, wanted) == first
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
        engines = list(pool.map(lambda _: get_or_build(tmp_path, tiny, wanted), range(3)))
    assert engines[0] == engines[1] == engines[2]
    assert messages(caplog) == ["building the TensorRT engine tiny for sm89"]


def test_threads_that_want_one_file_build_it_once(tmp_path, tiny, wanted, monkeypatch):
    built, meeting = [], Barrier(3, timeout=60)

    def compiled(*_, **__):
        built.append(wanted)
        time.sleep(0.1)
        return b"engine"

    def build_one(_):
        meeting.wait()
        return build_into(tmp_path, tiny, wanted, ahead=True)

    monkeypatch.setattr("trt_build.store.compiled", compiled)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(build_one, range(3))) == [engine_path(tmp_path, wanted)] * 3
    assert len(built) == 1


def _build_in_process(folder):
    import warnings
    from pathlib import Path

    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    module = Tiny()
    wanted = engine_spec(module, label="tiny", scale=2, profile=SMALL, targets=("sm89",))
    with front_end("sm89"):
        return len(get_or_build(Path(folder), module, wanted))

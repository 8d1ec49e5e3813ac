"""``scripts/gpu_check`` runs where nothing but torch and numpy is installed; here without a GPU."""

import json
import runpy
import subprocess
import sys
from itertools import product

import pytest
import torch

from scripts.gpu_checks import engines
from scripts.gpu_checks.checks import all_correct, check_engines, check_front_ends
from scripts.gpu_checks.session import TENSORRT_PART, Session, Skipped
from scripts.gpu_checks.timings import time_networks
from tests.material import without
from vs_emtcm.engines.cpu_engine import CpuEngine
from vs_emtcm.errors import EmtcmError
from vs_emtcm.models import SHIPPED


def session_on(device, checked=(48, 64), sizes=None):
    return Session(
        device=torch.device(device),
        sizes=sizes or {},
        checked=checked,
        seconds=0.0,
        deadline=float("inf"),
        skipped=[],
    )


def dry_run(tmp_path, pytestconfig, *interpreter):
    script = pytestconfig.rootpath / "scripts" / "gpu_check"
    arguments = [script, "--dry-run", "--seconds", "0.002", "--json", tmp_path / "report.json"]
    command = [sys.executable, *interpreter, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "every engine is correct" in result.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert all(row["fps"] > 0 for part in ("network", "transfers") for row in report[part])
    assert all(row["within_1_code"] == 1 and row["finite"] for row in report["correctness"])
    return report


def test_a_dry_run_without_the_other_packages_says_what_it_skips(tmp_path, pytestconfig):
    report = dry_run(
        tmp_path, pytestconfig, "-c", without("av", "safetensors", "torch_tensorrt", "vapoursynth")
    )
    assert report["skipped"] == [
        "whole frames: safetensors is not installed",
        "the filter: vapoursynth is not installed",
        "video files: av is not installed",
        "TensorRT engines: torch_tensorrt is not installed",
    ]
    assert {(row["stages"], row["scale"]) for row in report["network"]} == set(product((1, 2), (2, 3, 4)))
    assert {row["batch"] for row in report["network"]} == {1, 2, 4}
    assert not {"frames", "filter", "overlap", "frames_checked", "front_ends"} & set(report)


def test_what_there_is_no_time_for_is_skipped_and_named(tmp_path, pytestconfig):
    script = pytestconfig.rootpath / "scripts" / "gpu_check"
    command = [sys.executable, script, "--dry-run", "--limit", "0"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 1
    for what in ("correctness", "frames", "bare networks", "transfers", "whole frames", "the filter"):
        assert f"skipped: {what}, in part: there was no time left" in result.stdout
    assert "no engine was checked" in result.stdout


def test_what_a_small_card_has_no_room_for_is_named_and_the_rest_is_timed(monkeypatch):
    call = CpuEngine.__call__

    def small(engine, x):
        if len(x) == 4:
            raise torch.OutOfMemoryError("no room")
        return call(engine, x)

    monkeypatch.setattr(CpuEngine, "__call__", small)
    session = session_on("cpu", sizes={"small": (32, 48)})
    rows = time_networks(session, bandwidth=1e9)
    assert list(map(str, session.skipped)) == [
        f"torch base x{scale} 2 small 4: OutOfMemoryError: no room" for scale in (2, 3, 4)
    ]
    assert {row["batch"] for row in rows} == {1, 2}


def test_an_engine_that_cannot_be_made_is_named_and_the_rest_is_checked(monkeypatch, pytestconfig, capsys):
    make = CpuEngine.__init__

    def refused(engine, weights, stages):
        if weights.scale == 3:
            raise EmtcmError("no kernel image is available")
        make(engine, weights, stages)

    monkeypatch.setattr(CpuEngine, "__init__", refused)
    session = session_on("cpu", sizes={"small": (32, 48)})
    report = {"correctness": check_engines(session), "network": time_networks(session, bandwidth=1e9)}
    for rows in report.values():
        assert {row["scale"] for row in rows} == {2, 4}
    skipped = list(map(str, session.skipped))
    why = "EmtcmError: no kernel image is available"
    for what in ("correctness of torch base-video 3 1", "bare network of torch large-video 3 2"):
        assert f"{what}: {why}" in skipped
    script = runpy.run_path(str(pytestconfig.rootpath / "scripts" / "gpu_check"))
    assert script["print_verdict"](session, report | {"skipped": skipped}, None) == 1
    assert "AN ENGINE IS NOT CORRECT" in capsys.readouterr().out


ENGINE = {"finite": True, "within_1_code": 0.999, "max_codes": 2.0}
FRAME = {"max_codes": 4.0, "over_1_code": 1e-3, "lanes_agree": True}
FRONT_END = {"same": True}
NAN = float("nan")


@pytest.mark.parametrize(
    ("engine", "frame", "front_end"),
    [
        ({"finite": False}, {}, {}),
        ({"within_1_code": 0.9989}, {}, {}),
        ({"within_1_code": NAN}, {}, {}),
        ({"max_codes": 3.0}, {}, {}),
        ({"max_codes": NAN}, {}, {}),
        ({}, {"max_codes": 4.1}, {}),
        ({}, {"max_codes": NAN}, {}),
        ({}, {"over_1_code": 2e-3}, {}),
        ({}, {"over_1_code": NAN}, {}),
        ({}, {"lanes_agree": False}, {}),
        ({}, {}, {"same": False}),
    ],
)
def test_one_wrong_result_is_enough(engine, frame, front_end):
    session = session_on("cpu")
    assert all_correct(session, [ENGINE], [FRAME], [FRONT_END])
    rows = [ENGINE, ENGINE | engine], [FRAME, FRAME | frame], [FRONT_END, FRONT_END | front_end]
    assert not all_correct(session, *rows)


def test_a_check_that_could_not_be_made_is_no_success_whatever_its_words():
    session = session_on("cpu")
    with session.attempt("a timing"):
        raise RuntimeError("no memory\nand how to debug it")
    assert list(map(str, session.skipped)) == ["a timing: RuntimeError: no memory"]
    assert all_correct(session, [ENGINE], [], [])
    assert not all_correct(session, [], [], [])
    with session.attempt("a check", fatal=True):
        raise RuntimeError
    assert session.skipped[-1] == Skipped(part="a check", reason="RuntimeError: ", fatal=True)
    assert not all_correct(session, [ENGINE], [], [])


def test_one_tensorrt_engine_that_cannot_be_had_is_the_last_and_no_failure(monkeypatch):
    session, asked = session_on("cuda"), []

    def refuse(*_):
        asked.append(True)
        raise RuntimeError("this GPU is sm90")

    monkeypatch.setattr(engines, "torch_engine", lambda *_: "PyTorch")
    monkeypatch.setattr(engines, "tensorrt_engine", refuse)
    model = SHIPPED[0]
    weights = engines.read_weights(model.path, 2)
    for stages in (1, 2):
        found = engines.engines_of(session, "correctness of", model, weights, stages, fatal=True)
        assert found == {"torch": "PyTorch"}
    assert asked == [True]
    assert session.skipped == [Skipped(part=TENSORRT_PART, reason="RuntimeError: this GPU is sm90")]


def test_a_tensorrt_that_is_not_installed_is_not_tried(monkeypatch):
    session = session_on("cuda")
    monkeypatch.setattr(engines, "torch_engine", lambda *_: "PyTorch")
    monkeypatch.setattr(engines, "tensorrt_engine", lambda *_: pytest.fail("it is not there"))
    session.skipped.append(Skipped(part=TENSORRT_PART, reason="torch_tensorrt is not installed"))
    model = SHIPPED[0]
    weights = engines.read_weights(model.path, 2)
    assert engines.engines_of(session, "correctness of", model, weights, 1) == {"torch": "PyTorch"}
    assert len(session.skipped) == 1


# As on a GPU and in a dry run; half of 134 rows are 67, which make no whole number of rows of luma.
@pytest.mark.parametrize("size", [(135, 240), (48, 64)])
def test_front_ends_are_compared_at_every_size(size):
    session = session_on("cpu", size)
    rows = check_front_ends(session)
    assert session.skipped == []
    assert [(row["what"], row["frames"], row["same"]) for row in rows] == [
        ("the filter", 12, True),
        ("video files", 12, True),
    ]


def test_a_dry_run_measures_whole_frames_and_the_filter(tmp_path, pytestconfig):
    report = dry_run(tmp_path, pytestconfig)
    assert [(row["what"], row["same"]) for row in report["front_ends"]] == [
        ("the filter", True),
        ("video files", True),
    ]
    models = {(row["model"], row["scale"], row["stages"]) for row in report["filter"]}
    assert models == set(product(("base", "large"), (2, 3, 4), (1, 2)))
    best = max(row["fps"] for row in report["frames"] if row["scale"] == 2)
    network = max(
        row["fps"]
        for row in report["network"]
        if (row["model"], row["scale"], row["stages"]) == ("base", 2, 2)
    )
    transfers = max(row["fps"] for row in report["transfers"] if row["scale"] == 2)
    share = next(row["share"] for row in report["overlap"] if row["scale"] == 2)
    assert share == pytest.approx(best / min(network, transfers))

"""``scripts/gpu_check`` runs where nothing but torch and numpy is installed; here without a GPU."""

import json
import runpy
import subprocess
import sys
from itertools import product

import pytest
import torch

from tests.conftest import without


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


NO_ROOM_FOR_FOUR = """
import runpy, sys, torch
from vs_emtcm.engines.cpu_engine import CpuEngine
call = CpuEngine.__call__
def small(engine, x):
    if len(x) == 4:
        raise torch.OutOfMemoryError("no room")
    return call(engine, x)
CpuEngine.__call__ = small
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_what_a_small_card_has_no_room_for_is_named_and_the_rest_is_reported(tmp_path, pytestconfig):
    report = dry_run(tmp_path, pytestconfig, "-c", NO_ROOM_FOR_FOUR)
    skipped = [f"torch base x{scale} 2 small 4: OutOfMemoryError: no room" for scale in (2, 3, 4)]
    assert report["skipped"][-3:] == skipped
    assert {row["batch"] for row in report["network"]} == {1, 2}
    assert report["filter"]


NO_KERNELS_FOR_X3 = """
import runpy, sys
from vs_emtcm.engines.cpu_engine import CpuEngine
from vs_emtcm.errors import EmtcmError
make = CpuEngine.__init__
def refused(engine, weights, stages):
    if weights.scale == 3:
        raise EmtcmError("no kernel image is available")
    make(engine, weights, stages)
CpuEngine.__init__ = refused
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_an_engine_that_cannot_be_made_is_named_and_the_rest_is_reported(tmp_path, pytestconfig):
    script, report = pytestconfig.rootpath / "scripts" / "gpu_check", tmp_path / "report.json"
    command = [sys.executable, "-c", NO_KERNELS_FOR_X3, script, "--dry-run", "--seconds", "0.002"]
    result = subprocess.run([*command, "--json", report], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "")
    assert "AN ENGINE IS NOT CORRECT" in result.stdout
    found = json.loads(report.read_text())
    for part in ("correctness", "network"):
        assert {row["scale"] for row in found[part]} == {2, 4}
    why = "EmtcmError: no kernel image is available"
    for what in ("correctness of torch base-video 3 1", "bare network of torch large-video 3 2"):
        assert f"{what}: {why}" in found["skipped"]


# As on a GPU and in a dry run; half of 134 rows are 67, which make no whole number of rows of luma.
@pytest.mark.parametrize("size", [(135, 240), (48, 64)])
def test_front_ends_are_compared_at_every_size(size, pytestconfig):
    script = runpy.run_path(str(pytestconfig.rootpath / "scripts" / "gpu_check"))
    session = script["Session"](
        device=torch.device("cpu"), sizes={}, checked=size, seconds=0.0, deadline=float("inf"), skipped=[]
    )
    rows = script["check_front_ends"](session)
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

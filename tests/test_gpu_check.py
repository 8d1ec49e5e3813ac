"""``scripts/gpu_check`` runs where nothing but torch and numpy is installed; here without a GPU."""

import json
import subprocess
import sys

BLOCK = """
import runpy, sys
for name in ("av", "safetensors", "torch_tensorrt", "vapoursynth"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_dry_run_measures_everything_and_says_what_it_skips(tmp_path, pytestconfig):
    script = pytestconfig.rootpath / "scripts" / "gpu_check"
    arguments = [script, "--dry-run", "--seconds", "0.01", "--json", tmp_path / "report.json"]
    result = subprocess.run(
        [sys.executable, "-c", BLOCK, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "every engine is correct" in result.stdout
    assert "skipped: whole frames: safetensors is not installed" in result.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert {row["stages"] for row in report["network"]} == {1, 2}
    assert all(row["fps"] > 0 for row in report["network"])
    assert all(row["within_1_code"] == 1 and row["finite"] for row in report["correctness"])
    assert report["frames"] == []

"""Importing the package costs nothing and does nothing."""

import subprocess
import sys

import pytest

import vs_emtcm


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_import_loads_neither_torch_nor_vapoursynth_and_prints_nothing():
    code = "import sys, vs_emtcm; assert not {'torch', 'vapoursynth', 'av', 'PIL'} & set(sys.modules)"
    assert run_python(code) == ""


def test_the_package_can_be_run_as_the_command():
    command = [sys.executable, "-m", "vs_emtcm", "models"]
    assert "large" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("command", ["--help", "--version", "upscale --help", "models"])
def test_the_command_explains_itself_without_torch(command):
    code = (
        f"import sys; sys.argv[1:] = {command.split()!r}\n"
        "from vs_emtcm.cli import app\n"
        "try: app()\n"
        "except SystemExit as done: assert not done.code\n"
        "assert 'torch' not in sys.modules"
    )
    assert run_python(code)


def test_everything_in_all_is_there():
    for name in vs_emtcm.__all__:
        assert getattr(vs_emtcm, name) is not None


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'upscale_everything'"):
        vs_emtcm.upscale_everything  # noqa: B018

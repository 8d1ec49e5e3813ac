"""Errors become one sentence and an exit code."""

import pytest
import torch
import typer

from vs_emtcm.console import exit_codes
from vs_emtcm.errors import EmtcmError, UsageError


def too_little():
    raise torch.OutOfMemoryError("not enough memory even for the smallest tiles")


@pytest.mark.parametrize(
    "allocate",
    [lambda: torch.empty(1 << 50), lambda: bytearray(1 << 60), too_little],
    ids=["pytorch", "python", "tiles"],
)
def test_too_little_memory_is_one_sentence(capsys, allocate):
    with pytest.raises(typer.Exit), exit_codes():
        allocate()
    assert capsys.readouterr().err.startswith("vs-emtcm: error: out of memory; a smaller --scale needs less")


def test_another_failure_is_not_taken_for_too_little_memory():
    with pytest.raises(RuntimeError, match="illegal memory access"), exit_codes():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


def test_another_program_has_its_own_name_and_advice(capsys):
    with pytest.raises(typer.Exit), exit_codes(program="training", memory_advice="less needs less"):
        too_little()
    assert capsys.readouterr().err == "training: error: out of memory; less needs less\n"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("no such scale"), 2, "error: no such scale"),
        (EmtcmError("the disk is full"), 1, "error: the disk is full"),
        (FileNotFoundError(2, "No such file", "a/b"), 1, "error: a/b: no such file"),
        (OSError(28, "No space left on device"), 1, "error: no space left on device"),
    ],
)
def test_errors_have_exit_codes(capsys, error, code, said):
    for program in ("vs-emtcm", "training"):
        with pytest.raises(typer.Exit) as exited, exit_codes(program=program):
            raise error
        assert exited.value.exit_code == code
        assert capsys.readouterr().err == f"{program}: {said}\n"

"""Errors become one sentence and an exit code."""

import pytest
import torch
import typer

from vs_emtcm.console import exit_codes


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

"""Waiting for what another process or thread does."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest


def wait_until(
    condition: Callable[[], bool],
    seconds: float,
    what: str,
    process: subprocess.Popen[str] | None = None,
) -> None:
    """Return as soon as a condition holds.

    Args:
        condition: is asked every 10 ms.
        seconds: how long to wait.
        what: describes the condition in the message of a failure.
        process: the process that is waited for; it is killed if the test fails here.

    Raises:
        pytest.fail.Exception: the condition did not hold in time, or the process ended before it did.
    """
    end = time.monotonic() + seconds
    while not condition():
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > end:
            # The process may have done it between the two questions.
            if ended and condition():
                return
            errors = ""
            if process is not None:
                process.kill()
                errors = process.communicate()[1] or ""
            pytest.fail(f"{what}: not {'before the process ended' if ended else f'in {seconds} s'}\n{errors}")
        time.sleep(0.01)

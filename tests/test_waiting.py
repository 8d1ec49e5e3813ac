"""What never happens is a failure with a message."""

import subprocess
import sys

import pytest

from tests.waiting import wait_until


def test_a_condition_that_holds_ends_the_waiting():
    answers = iter([False, False, True])
    wait_until(lambda: next(answers), 60, "the third answer")
    assert not list(answers)


def test_what_does_not_come_in_time_is_named():
    with pytest.raises(pytest.fail.Exception, match="the end of days: not in 0 s"):
        wait_until(lambda: False, 0, "the end of days")


def test_a_process_that_ends_too_early_is_not_waited_for():
    command = [sys.executable, "-c", "import sys; sys.exit('it failed')"]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process,
        pytest.raises(pytest.fail.Exception, match="its file: not before the process ended\nit failed"),
    ):
        wait_until(lambda: False, 600, "its file", process)


def test_a_process_that_does_not_come_to_it_is_killed():
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        with pytest.raises(pytest.fail.Exception, match=r"its file: not in 0\.2 s"):
            wait_until(lambda: False, 0.2, "its file", process)
        assert process.returncode != 0

"""A generator in a thread behaves like the generator."""

import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from tests.waiting import wait_until
from vs_emtcm.video import background
from vs_emtcm.video.background import run_ahead


def test_items_come_in_order():
    assert list(run_ahead(iter(range(100)), 3)) == list(range(100))


def test_an_error_arrives_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    ahead = run_ahead(items(), 2)
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_it_runs_as_far_ahead_as_it_may_and_no_further():
    taken = []

    def items():
        for i in range(50):
            taken.append(i)
            yield i

    ahead = run_ahead(items(), 3)
    assert next(ahead) == 0
    # Three wait, one is in hand, one was given out.
    wait_until(lambda: len(taken) == 5, 10, "five items taken")
    time.sleep(0.05)
    assert len(taken) == 5
    ahead.close()


def test_nothing_is_lost_while_the_next_step_takes_its_time(monkeypatch):
    monkeypatch.setattr("vs_emtcm.video.background.PATIENCE", 0.01)
    found = []

    def consume():
        for item in run_ahead(iter(range(6)), 1):
            time.sleep(0.05)
            found.append(item)

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    consumer.join(30)
    assert found == list(range(6))


def test_closing_stops_the_thread_and_closes_the_source():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    ahead = run_ahead(items(), 1)
    next(ahead)
    ahead.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_what_goes_wrong_at_the_end_of_a_source_raises_here():
    def items():
        try:
            yield 1
        finally:
            raise OSError("not closed")

    ahead = run_ahead(items(), 2)
    assert next(ahead) == 1
    with pytest.raises(OSError, match="not closed"):
        next(ahead)


def test_a_source_that_cannot_be_closed_does_not_hide_why_it_is():
    def items():
        try:
            while True:
                yield 0
        finally:
            raise OSError("not closed")

    ahead = run_ahead(items(), 1)
    next(ahead)
    with pytest.raises(ValueError, match="failed"), closing(ahead):
        raise ValueError("failed")


# A process of its own, or the tests would be interrupted. What is at work on a frame cannot be told to stop,
# and goes on until the third interruption.
INTERRUPTED = """
import runpy, signal, sys, threading, time

run_ahead = runpy.run_path(sys.argv[1])["run_ahead"]
began, ended, sent = threading.Event(), threading.Event(), 0

def items():
    yield 0
    began.set()
    while sent < 3:
        time.sleep(0.01)
    ended.set()
    yield 1

def interrupt():
    global sent
    for _ in range(3):
        time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        sent += 1

ahead = run_ahead(items(), 1)
next(ahead)
began.wait(30)
try:
    threading.Thread(target=interrupt).start()
    ahead.close()
except KeyboardInterrupt:
    print("interrupted", ended.is_set(), threading.active_count() <= 2)
"""


def test_interruptions_do_not_end_the_waiting_for_the_thread():
    command = [sys.executable, "-c", INTERRUPTED, background.__file__]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr, result.returncode) == ("interrupted True True\n", "", 0)

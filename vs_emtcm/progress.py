"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


class Report(Protocol):
    """A function that shows how far the work is."""

    def __call__(self, done: int, total: int | None, resumed: int) -> None:
        """Show progress.

        Args:
            done: the number of frames or pictures done.
            total: how many there are, or None if that is not known.
            resumed: how many of those that are done were done before this run.
        """
        ...


# Seconds between two plain lines, at least.
LINE_INTERVAL = 10.0


@contextmanager
def show_progress(what: str, unit: str, quiet: bool) -> Iterator[Report | None]:
    """Yield a function to call after every frame or picture, or None if quiet.

    Args:
        what: the name of what is worked on.
        unit: what is counted, "frame" or "picture".
        quiet: whether nothing is shown.
    """
    pace = "fps" if unit == "frame" else f"{unit}s a second"
    if quiet:
        yield None
    elif sys.stderr.isatty():
        yield from _bar(what, pace)
    else:
        yield _lines(what, unit, pace)


def _bar(what: str, pace: str) -> Iterator[Report]:
    """Yield a function that moves a bar on the terminal; ``pace`` is the unit of its speed."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None, rate="")

        def report(done: int, total: int | None, resumed: int) -> None:
            nonlocal began
            # The total from a header is an estimate: never show more frames done than there are.
            known = None if total is None else max(total, done)
            if done == resumed:
                # Frames that were done before say nothing about the pace.
                began = time.monotonic()
                progress.reset(task, completed=done, total=known, rate="done before")
                return
            rate = (done - resumed) / max(1e-9, time.monotonic() - began)
            progress.update(task, completed=done, total=known, rate=f"{rate:.1f} {pace}")

        yield report


def _lines(what: str, unit: str, pace: str) -> Report:
    """Return a function that prints a line every :data:`LINE_INTERVAL` seconds."""
    began = last = time.monotonic()

    def report(done: int, total: int | None, resumed: int) -> None:
        nonlocal began, last
        now = time.monotonic()
        if done == resumed:
            # Frames that were done before say nothing about the pace.
            began = now
        if now - last < LINE_INTERVAL:
            return
        last = now
        of = "" if total is None else f" of {total}"
        if done == resumed:
            print(f"{what}: {unit} {done}{of}, done before", file=sys.stderr, flush=True)
            return
        rate = (done - resumed) / max(1e-9, now - began)
        left = "" if total is None else f", {max(0, total - done) / rate:.0f} s left"
        print(f"{what}: {unit} {done}{of}, {rate:.2f} {pace}{left}", file=sys.stderr, flush=True)

    return report

"""Progress on the terminal: a bar where there is one, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

Report = Callable[[int, int | None], None]

# Seconds between two plain lines.
LINE_INTERVAL = 10.0


@contextmanager
def show_progress(what: str, quiet: bool) -> Iterator[Report | None]:
    """A function to call with the frames done and their total, or None if quiet."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        yield from _bar(what)
    else:
        yield _lines(what)


def _bar(what: str) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None, rate="")

        def report(done: int, total: int | None) -> None:
            rate = done / max(1e-9, time.monotonic() - began)
            # Headers are estimates: never show more frames done than there are.
            known = None if total is None else max(total, done)
            progress.update(task, completed=done, total=known, rate=f"{rate:.1f} fps")

        yield report


def _lines(what: str) -> Report:
    began = last = time.monotonic()

    def report(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < LINE_INTERVAL:
            return
        last = now
        rate = done / (now - began)
        left = "" if total is None else f", {max(0, total - done) / rate:.0f} s left"
        of = "" if total is None else f" of {total}"
        print(f"{what}: frame {done}{of}, {rate:.2f} fps{left}", file=sys.stderr, flush=True)

    return report

"""The log of a run: a CSV file, TensorBoard and a progress bar."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from vs_emtcm.output import complete_file

# CSV file of a run's folder.
LOG = "log.csv"


def progress_bar() -> Progress:
    """Return a progress bar on stderr; its tasks have a field ``rate``, a text shown beside the bar."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


class Log:
    """The log of a run, in its folder; a context manager that shows the progress bar.

    Args:
        folder: of the run.
        columns: names of the CSV file's columns beside the step.
        done: the step from which the run goes on; rows of later steps are dropped.
        steps: number of steps of the whole run.
    """

    def __init__(self, folder: Path, columns: Sequence[str], done: int, steps: int) -> None:
        self.path = folder / LOG
        self.columns = ["step", *columns]
        kept = self._rows_until(done)
        with complete_file(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(kept)
        self._board = SummaryWriter(folder / "tensorboard", purge_step=done + 1 if done else None)
        self._progress = progress_bar()
        self._task = self._progress.add_task("training", total=steps, completed=done, rate="")

    def _rows_until(self, step: int) -> list[dict[str, str]]:
        """Read the rows of the CSV file up to a step, without its header and rows that are damaged."""
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            rows = list(csv.DictReader(file, self.columns))
        return [row for row in rows if row["step"].isdecimal() and int(row["step"]) <= step]

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._board.close()

    def advance(self, description: str, done: int, seconds: float) -> None:
        """Show the progress.

        Args:
            description: what is being trained.
            done: number of steps done.
            seconds: that a step takes.
        """
        rate = f"{seconds * 1e3:.3g} ms"
        self._progress.update(self._task, completed=done, description=description, rate=rate)

    def scores(self, step: int, values: Mapping[str, float]) -> None:
        """Log the values of some of the columns at a step."""
        rounded = {name: round(value, 5) for name, value in values.items()}
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow({"step": step, **rounded})
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        text = "  ".join(f"{name} {value:.5g}" for name, value in values.items())
        self._progress.console.print(f"step {step}  {text}", soft_wrap=True, highlight=False)

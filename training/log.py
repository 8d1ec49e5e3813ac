"""What a run tells while it trains: a CSV file, TensorBoard and a progress bar."""

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

LOG = "log.csv"


def progress_bar() -> Progress:
    """On stderr; its tasks have a ``rate``, which is a text."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


class Log:
    """The log of a run in its folder.

    Args:
        folder: of the run.
        columns: of the CSV file, beside the step.
        done: the step to go on from; what was logged after it is dropped.
        steps: of the whole run.
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
        """So many steps are done; one takes so many seconds."""
        rate = f"{seconds * 1e3:.3g} ms"
        self._progress.update(self._task, completed=done, description=description, rate=rate)

    def scores(self, step: int, values: Mapping[str, float]) -> None:
        """Values of some of the columns."""
        rounded = {name: round(value, 5) for name, value in values.items()}
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow({"step": step, **rounded})
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        text = "  ".join(f"{name} {value:.5g}" for name, value in values.items())
        self._progress.console.print(f"step {step}  {text}", soft_wrap=True, highlight=False)

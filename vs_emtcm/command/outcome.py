"""The result of ``vs-emtcm upscale``: its closing report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was done for a request.

    Attributes:
        engine: a description of the engine that ran the network; None if there was nothing to do.
        unit: what is counted, "frame" or "picture".
        frames: the number of frames or pictures written.
        resumed: the number of them that were done by an earlier run.
        skipped: the number of results that existed already.
        size: (width, height) of the results, or None if they differ.
        seconds: wall time.
        parts: seconds by part of the work; the parts overlap.
        warnings: what was left out or lost, one sentence each.
        damage: the damage found in the source, one sentence each.
        failures: what could not be done, one sentence each.
    """

    engine: str | None
    unit: str
    frames: int
    resumed: int
    skipped: int
    size: tuple[int, int] | None
    seconds: float
    parts: dict[str, float]
    warnings: tuple[str, ...]
    damage: tuple[str, ...]
    failures: tuple[str, ...]

    def summary(self) -> str:
        """Return the report as one line for people."""
        if self.engine is None:
            return f"nothing to do: there already: {self.skipped}"
        size = "" if self.size is None else f" of {self.size[0]}x{self.size[1]}"
        rate = (self.frames - self.resumed) / self.seconds if self.seconds else 0.0
        parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.parts.items())
        times = f"; {parts}" if parts else ""
        skipped = f"; {self.skipped} skipped, there already" if self.skipped else ""
        resumed = f" ({self.resumed} of them done before)" if self.resumed else ""
        frames = f"{self.frames} {self.unit}{'' if self.frames == 1 else 's'}"
        pace = f"{rate:.2f} fps" if self.unit == "frame" else f"{rate:.2f} a second"
        done = f"{frames}{size}{resumed} in {self.seconds:.1f} s, {pace}"
        return f"{done}{times}{skipped}; {self.engine}"

    def as_dict(self) -> dict[str, object]:
        """Return the report as ``--json`` prints it."""
        return {
            "engine": self.engine,
            "frames": self.frames,
            "resumed": self.resumed,
            "skipped": self.skipped,
            "width": None if self.size is None else self.size[0],
            "height": None if self.size is None else self.size[1],
            "seconds": round(self.seconds, 3),
            "fps": round((self.frames - self.resumed) / self.seconds, 3) if self.seconds else None,
            "parts": {name: round(seconds, 3) for name, seconds in self.parts.items()},
            "warnings": list(self.warnings),
            "damage": list(self.damage),
            "failures": list(self.failures),
        }


def nothing_to_do(*, unit: str, skipped: int) -> Outcome:
    """Return the outcome of a request all of whose results existed already.

    Args:
        unit: "frame" for a video, "picture" for pictures.
        skipped: the number of results.
    """
    return Outcome(
        engine=None,
        unit=unit,
        frames=0,
        resumed=0,
        skipped=skipped,
        size=None,
        seconds=0.0,
        parts={},
        warnings=(),
        damage=(),
        failures=(),
    )

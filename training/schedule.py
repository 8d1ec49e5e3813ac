"""The learning rate of every step."""

from __future__ import annotations

import math

from training.config import Phase, Schedule


def learning_rate(schedule: Schedule, phase: Phase, step: int) -> float:
    """Return the learning rate at a step of a phase.

    Args:
        schedule: the form of its course; see :class:`training.config.Schedule`.
        phase: its peak and end.
        step: counted from 0 at the start of the phase.
    """
    rise = schedule.warmup if schedule.form == "cosine" else phase.steps // 3
    if step < rise:
        share = (step + 1) / rise
        if schedule.form == "one-cycle":
            share = 0.5 * (1 - math.cos(math.pi * share))
        return phase.learning_rate * share
    progress = (step - rise) / max(1, phase.steps - rise)
    fall = phase.learning_rate - phase.end_rate
    return phase.end_rate + fall * 0.5 * (1 + math.cos(math.pi * progress))

"""Checks that a recipe can be trained, and that it is the one that a run began with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from training.config import Recipe
from vs_emtcm.errors import UsageError


def check_scales(recipe: Recipe, held: frozenset[int], first: int) -> None:
    """Refuse a recipe that leaves a scale of its model without weights.

    Args:
        recipe: what is trained.
        held: scales that have weights already.
        first: index of the first phase that is still to be trained.

    Raises:
        UsageError: no phase trains or starts a scale, or one starts it from a scale without weights.
    """
    for number, phase in enumerate(recipe.phases[first:], first):
        for scale, source in phase.start.items():
            if source not in held:
                raise UsageError(
                    f"phases[{number}] starts x{scale} from x{source}, which has no weights then; "
                    f"train x{source} in an earlier phase, or give --start-from"
                )
        held |= {*phase.scales, *phase.start}
    missing = scale_names(s for s in recipe.model.scales if s not in held)
    if missing:
        raise UsageError(
            f"no phase trains or starts {missing} of model.scales; add one, or write "
            f"'scales = {sorted(held)}' under [model]"
        )


def scale_names(scales: Iterable[int]) -> str:
    """Return scales for a message, such as "x2, x3"."""
    return ", ".join(f"x{scale}" for scale in scales)


def differences(one: Recipe, other: Recipe, phase: int) -> Iterator[tuple[str, Any, Any]]:
    """Find the keys whose values make two recipes train differently up to the end of a phase.

    How often they evaluate and save makes no difference.

    Args:
        one, other: the recipes.
        phase: index of the last phase that counts.

    Yields:
        A key, its value in ``one`` and its value in ``other``.
    """
    first, second = (
        msgspec.to_builtins(
            msgspec.structs.replace(
                recipe,
                schedule=msgspec.structs.replace(recipe.schedule, evaluate_every=1, checkpoint_every=1),
                phases=recipe.phases[: phase + 1],
            )
        )
        for recipe in (one, other)
    )
    yield from _differences(first, second, "")


def _differences(one: Any, other: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    """Compare the tables, or the values, that both recipes have at the key ``name``."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            below = f"{name}.{key}" if name else f"{key}"
            yield from _differences(one.get(key), other.get(key), below)
    elif name == "phases" and len(one) == len(other):
        for number, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from _differences(first, second, f"{name}[{number}]")
    elif name == "phases":
        yield "the number of phases", len(one), len(other)
    elif one != other:
        yield name, one, other

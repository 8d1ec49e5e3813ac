"""Whole numbers, whoever's type they are of."""

from numbers import Integral
from typing import TypeGuard


def is_whole(value: object) -> TypeGuard[int]:
    """Whether this is a whole number, by its type; numpy's are, booleans are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)

"""Recognise whole numbers of any type."""

from numbers import Integral
from typing import TypeGuard


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number by its type; numpy's integers are, booleans are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)

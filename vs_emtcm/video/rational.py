"""PyAV's rational numbers as fractions."""

from __future__ import annotations

from fractions import Fraction


def as_fraction(value: object) -> Fraction | None:
    """Return a rational of PyAV's as a Fraction, or None if it is missing or zero."""
    numerator = getattr(value, "numerator", 0)
    denominator = getattr(value, "denominator", 0)
    return Fraction(numerator, denominator) if numerator and denominator else None

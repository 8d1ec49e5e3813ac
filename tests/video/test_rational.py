"""Rational numbers of PyAV, some of which are missing."""

from fractions import Fraction
from types import SimpleNamespace

import pytest

from vs_emtcm.video.rational import as_fraction


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 0), (0, 0)])
def test_a_rational_that_says_nothing_is_none(numerator, denominator):
    assert as_fraction(SimpleNamespace(numerator=numerator, denominator=denominator)) is None


def test_a_rational_is_a_fraction():
    assert as_fraction(SimpleNamespace(numerator=2, denominator=50)) == Fraction(1, 25)
    assert as_fraction(None) is None

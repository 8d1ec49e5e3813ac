"""Recipes are compared key by key, and leave no scale without weights."""

import msgspec
import pytest

from tests.training.runs import PHASES, phase, recipe
from training.checks import check_scales, differences, scale_names
from vs_emtcm.errors import UsageError


def test_scales_are_named():
    assert scale_names((2, 4)) == "x2, x4"
    assert scale_names(()) == ""


def test_a_scale_needs_a_phase_or_weights():
    settings = recipe((phase(), phase(scales=(4,), start={4: 3})), scales=(2, 3, 4))
    with pytest.raises(UsageError, match=r"phases\[1\] starts x4 from x3, which has no weights then"):
        check_scales(settings, frozenset(), 0)
    check_scales(settings, frozenset({3}), 0)
    # Phases that are done do not count.
    with pytest.raises(UsageError, match=r"no phase trains or starts x2 of model\.scales"):
        check_scales(settings, frozenset({3}), 1)


def test_equal_recipes_differ_nowhere():
    assert list(differences(recipe(), recipe(), 1)) == []


def test_differences_have_names_and_both_values():
    other = recipe((phase(crop=32, start={2: 3}), PHASES[1]), ema=0.8)
    assert list(differences(recipe(), other, 0)) == [
        ("schedule.ema", 0.9, 0.8),
        ("phases[0].crop", 24, 32),
        ("phases[0].start.2", None, 3),
    ]


def test_the_future_and_the_log_make_no_difference():
    other = recipe((PHASES[0], phase(scales=(3, 4), steps=9)), evaluate_every=7, checkpoint_every=8)
    assert list(differences(recipe(), other, 0)) == []
    assert [key for key, *_ in differences(recipe(), other, 1)] == [
        "phases[1].steps",
        "phases[1].start.3",
        "phases[1].start.4",
        "phases[1].freeze_shared",
    ]


def test_a_number_of_phases_is_a_difference():
    one = msgspec.structs.replace(recipe(), phases=PHASES[:1])
    assert list(differences(recipe(), one, 1)) == [("the number of phases", 2, 1)]

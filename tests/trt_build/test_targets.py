"""Targets are compute capabilities by name."""

import pytest

from trt_build import TARGETS, BuildError
from trt_build.targets import capability, parse_targets, target_of


def test_targets_are_put_in_order_once_each():
    assert parse_targets(["sm120", "sm89", "sm89"]) == ("sm89", "sm120")
    assert parse_targets(["sm120,sm89", "sm75"]) == ("sm75", "sm89", "sm120")
    assert parse_targets(["all"]) == TARGETS
    assert parse_targets("sm89") == parse_targets("sm89,sm89") == ("sm89",)


def test_a_target_and_its_capability_are_the_same():
    assert capability("sm89") == (8, 9)
    assert capability("sm120") == (12, 0)
    assert all(target_of(*capability(target)) == target for target in TARGETS)


def test_unknown_targets_are_refused():
    with pytest.raises(BuildError, match="target is 'sm90'; accepted are all, sm75"):
        parse_targets(["sm89", "sm90"])


def test_an_older_tensorrt_offers_fewer_targets():
    older = ("sm75", "sm89")
    assert parse_targets(["all"], older) == older
    with pytest.raises(
        BuildError, match="sm121 is not known to the installed TensorRT, which offers sm75, sm89"
    ):
        parse_targets(["sm121"], older)

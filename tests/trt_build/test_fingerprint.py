"""Two modules have the same fingerprint only where they have the same engine."""

import importlib.util
from types import ModuleType
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from tests.trt_build.modules import Tiny
from trt_build import BuildError
from trt_build.fingerprint import fingerprint


class Scaled(nn.Module):
    """A module with attributes that are neither parameters nor buffers."""

    def __init__(self, **attributes):
        super().__init__()
        vars(self).update(attributes)

    def forward(self, x):
        return x * self.factor


def with_buffer(values):
    module = nn.Module()
    module.register_buffer("table", values)
    return module


def test_the_fingerprint_depends_on_the_weights(tiny):
    same = Tiny()
    same.load_state_dict(tiny.state_dict())
    assert fingerprint(tiny) == fingerprint(same) != fingerprint(Tiny())


def test_the_fingerprint_depends_on_what_the_source_does(tmp_path):
    found = []
    for name, sign in (("first", "+"), ("same", "+"), ("other", "-")):
        path = tmp_path / f"{name}_network.py"
        path.write_text(
            "from torch import nn\n\n\nclass Shift(nn.Module):\n"
            f"    def forward(self, x):\n        return x {sign} 1\n"
        )
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        with mock.patch.dict("sys.modules", {path.stem: module}):
            spec.loader.exec_module(module)
            found.append(fingerprint(module.Shift()))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ({"factor": 1.0}, {"factor": 1.0}, True),
        ({"factor": 1.0}, {"factor": 8.0}, False),
        ({"function": torch.relu}, {"function": torch.relu}, True),
        ({"function": torch.relu}, {"function": torch.tanh}, False),
        ({"table": np.arange(9000)}, {"table": np.arange(9000)}, True),
        ({"table": torch.ones(3)}, {"table": torch.ones(3)}, True),
        ({"table": torch.ones(3)}, {"table": torch.zeros(3)}, False),
        ({"table": np.arange(9000)}, {"table": np.arange(9000)[::-1].copy()}, False),
        # These two sets list their elements in another order.
        ({"taps": {0, 8}}, {"taps": {8, 0}}, True),
        ({"taps": {0, 8}}, {"taps": {0, 9}}, False),
        ({"taps": {0, 8}}, {"taps": [0, 8]}, False),
        ({"taps": {"a": [{0, 8}]}}, {"taps": {"a": [{8, 0}]}}, True),
    ],
)
def test_the_fingerprint_depends_on_the_attributes_of_every_part(first, second, equal):
    found = [fingerprint(nn.Sequential(Scaled(**attributes))) for attributes in (first, second)]
    assert (found[0] == found[1]) == equal


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Neighbours that are one number in single precision.
        (torch.tensor([16777216]), torch.tensor([16777217])),
        (torch.tensor(1.0, dtype=torch.float64), torch.tensor(1.0 + 2**-40, dtype=torch.float64)),
        (torch.tensor([1.0], dtype=torch.float16), torch.tensor([1.0 + 2**-10], dtype=torch.float16)),
        (torch.tensor([1.0], dtype=torch.bfloat16), torch.tensor([1.0 + 2**-7], dtype=torch.bfloat16)),
        (torch.tensor(True), torch.tensor(False)),
        # The same bytes of another dtype or shape.
        (torch.zeros(3), torch.zeros(3, dtype=torch.int32)),
        (torch.zeros(2, dtype=torch.float16), torch.zeros(2, dtype=torch.bfloat16)),
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.zeros(1), torch.tensor(0.0)),
        (torch.zeros(0, 2), torch.zeros(0, 3)),
    ],
    ids=str,
)
def test_any_difference_of_tensors_is_seen(first, second):
    for put in (with_buffer, lambda values: Scaled(table=values)):
        assert fingerprint(put(first)) == fingerprint(put(first.clone())) != fingerprint(put(second))


def test_the_layout_in_memory_is_not_seen():
    values = torch.arange(24.0).reshape(1, 2, 3, 4)
    channels_last = values.to(memory_format=torch.channels_last)
    every_second = torch.stack((values, values), dim=-1)[..., 0]
    assert channels_last.stride() != values.stride() != every_second.stride()
    expected = fingerprint(with_buffer(values))
    assert fingerprint(with_buffer(channels_last)) == fingerprint(with_buffer(every_second)) == expected
    strided = torch.arange(6.0)[::2]
    assert fingerprint(with_buffer(strided)) == fingerprint(with_buffer(strided.clone()))


def test_hooks_are_refused():
    for register in (nn.Module.register_forward_hook, nn.Module.register_forward_pre_hook):
        hooked = Tiny()
        register(hooked, lambda *_: None)
        with pytest.raises(BuildError, match="the network has a forward hook"):
            fingerprint(hooked)


def test_a_module_that_cannot_be_told_apart_is_refused():
    with pytest.raises(BuildError, match=r"attribute '0.function' is a function that cannot be compared"):
        fingerprint(nn.Sequential(Scaled(function=lambda x: x)))
    typed = type("Typed", (nn.Module,), {"__module__": "__main__"})
    nowhere = mock.patch.dict("sys.modules", {"__main__": ModuleType("__main__")})
    with nowhere, pytest.raises(BuildError, match="source of module '__main__' cannot be read"):
        fingerprint(typed())

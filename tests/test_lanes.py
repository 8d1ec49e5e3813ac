"""Lanes are as many as were asked for, or as keep the device busy and fit into it."""

from types import SimpleNamespace

import pytest

from vs_emtcm.errors import EmtcmError, UsageError
from vs_emtcm.lanes import check_lanes, default_lanes, make_lanes


class Device:
    """A stand-in for an Upscaler whose device has room for ``room`` of them."""

    def __init__(self, type, room=99):
        self.engine = SimpleNamespace(device=SimpleNamespace(type=type))
        self.room, self.made = room, 1

    def another(self):
        if self.made == self.room:
            raise EmtcmError("there is not enough GPU memory for one more lane")
        self.made += 1
        return object()


@pytest.mark.parametrize("lanes", [None, 1, 16])
def test_lanes_that_devices_have_are_accepted(lanes):
    check_lanes(lanes)


@pytest.mark.parametrize("lanes", [0, 17, -1, 2.0, "2", True])
def test_other_lanes_are_refused(lanes):
    with pytest.raises(UsageError, match=f"lanes is {lanes!r}; accepted are None and 1 to 16"):
        make_lanes(Device("cpu"), lanes, None)


@pytest.mark.parametrize(
    ("type", "lanes", "frames", "number"),
    [
        ("cpu", None, None, 1),
        ("cuda", None, None, 3),
        ("cuda", None, 2, 2),
        ("cpu", 4, None, 4),
        ("cuda", 8, 5, 5),
    ],
)
def test_there_are_as_many_as_asked_for_or_usual_and_no_more_than_frames(type, lanes, frames, number):
    first = Device(type)
    upscalers = make_lanes(first, lanes, frames)
    assert upscalers[0] is first
    assert len(set(map(id, upscalers))) == len(upscalers) == number


def test_a_gpu_without_room_for_the_usual_number_has_fewer_with_a_warning(caplog):
    assert default_lanes("cuda") == 3
    assert len(make_lanes(Device("cuda", room=2), None, None)) == 2
    assert caplog.messages == ["emtcm: there is not enough GPU memory for one more lane; going on with 2"]


def test_lanes_that_were_asked_for_and_do_not_fit_are_an_error():
    with pytest.raises(EmtcmError, match="not enough GPU memory"):
        make_lanes(Device("cuda", room=2), 3, None)

"""What the tests of several modules need."""

import pytest

from training.amx import AmxError
from training.amx.library import load_library


def unavailable() -> str | None:
    try:
        load_library()
    except AmxError as error:
        return str(error)
    return None


with_amx = pytest.mark.skipif(unavailable() is not None, reason=f"no matrix unit: {unavailable()}")

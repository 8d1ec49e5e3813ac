"""What the tests of several modules need."""

import pytest
import torch

from tests.trt_build.modules import Tiny


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return Tiny()

"""Every operation that is recorded computes what PyTorch computes."""

import numpy as np
import openvino
import pytest
import torch
from torch.nn import functional as F

from vs_emtcm.engines.openvino_graph import GraphTensor
from vs_emtcm.network import crop

OPS = openvino.opset13
X = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 4, 9, 11)).astype(np.float32))
KERNEL = torch.linspace(-1, 1, 6 * 4 * 3 * 3).reshape(6, 4, 3, 3)


def recorded(work):
    """Record ``work`` and run it on X with OpenVINO; the result, and the shape that was recorded."""
    parameter = OPS.parameter(list(X.shape), openvino.Type.f32)
    result = work(GraphTensor(parameter, OPS))
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.Core().compile_model(openvino.Model([result.node], [parameter]), "CPU", options)
    return torch.from_numpy(compiled(X.numpy())[0]), result.shape


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x + x[..., 0:9, 0:11],
        lambda x: x - F.prelu(x, torch.full((4,), 0.25)),
        lambda x: x[..., 1:8, 2:-3],
        lambda x: crop(x, 2),
        lambda x: F.conv2d(x, KERNEL),
        lambda x: F.conv2d(x, KERNEL, torch.arange(6.0)),
        lambda x: F.conv2d(x, KERNEL, None, (2, 1), (1, 0)),
        lambda x: F.conv2d(x, KERNEL, dilation=(2, 2)),
        lambda x: F.prelu(x, torch.tensor([0.1, 0.2, -0.3, 1.5])),
        lambda x: torch.cat((x, x - x, x), dim=1),
        lambda x: torch.cat((x, x)),
        lambda x: F.pixel_shuffle(x, 2),
    ],
)
def test_an_operation_is_that_of_pytorch(work):
    found, shape = recorded(work)
    expected = work(X)
    assert shape == found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_steps_that_are_not_recorded_are_refused():
    x = GraphTensor(OPS.parameter([1, 4, 8, 8], np.float32), OPS)
    with pytest.raises(TypeError, match=r"torch\.relu"):
        torch.relu(x)
    with pytest.raises(NotImplementedError, match="groups"):
        torch.conv2d(x, torch.zeros(4, 1, 3, 3), groups=4)

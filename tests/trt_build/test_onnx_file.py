"""The ONNX file computes what the module computes, in another runtime."""

import numpy as np
import onnxruntime
import pytest
import torch

from tests.conftest import texture
from trt_build import BuildError, export_onnx
from vs_emtcm import models
from vs_emtcm.engines.half import PictureNetwork
from vs_emtcm.engines.weights import load_network

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("scale", "stages", "precision"), [(2, 2, "fp16"), (3, 1, "fp32"), (4, 2, "fp32")])
def test_onnxruntime_agrees_with_pytorch(tmp_path, scale, stages, precision):
    network = load_network(models.load(models.find("base", "clean").path, scale), stages)
    path = tmp_path / "network.onnx"
    export_onnx(PictureNetwork(network), path, precision=precision)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (source,), (target,) = session.get_inputs(), session.get_outputs()
    kind = "tensor(float16)" if precision == "fp16" else "tensor(float)"
    assert (source.name, source.type, target.name, target.type) == ("input", kind, "output", kind)
    for height, width in ((24, 40), (57, 33)):
        x = (16 + 219 * texture(height, width)[None, None]) / 255
        x = x.astype(np.float16 if precision == "fp16" else np.float32)
        (result,) = session.run(None, {"input": x})
        with torch.no_grad():
            expected = network(torch.from_numpy(x).float()).numpy()
        assert result.shape == (1, 1, scale * height, scale * width)
        np.testing.assert_allclose(result.astype(np.float32), expected, atol=1e-3)


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path):
    network = load_network(models.load(models.find("base", "clean").path, 2), 1)
    with pytest.raises(BuildError, match="cannot be written"):
        export_onnx(network, tmp_path / "none" / "network.onnx")
    with pytest.raises(BuildError, match="precision is 'int8'"):
        export_onnx(network, tmp_path / "network.onnx", precision="int8")

"""The ONNX file computes what the module computes, in another runtime."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from tests.material import texture
from trt_build import BuildError, export_onnx
from vs_emtcm import models
from vs_emtcm.engines.half import PictureNetwork
from vs_emtcm.engines.load import load_network
from vs_emtcm.weights_file import load_weights

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("scale", "stages", "precision"), [(2, 2, "fp16"), (3, 1, "fp32"), (4, 2, "fp32")])
def test_onnxruntime_agrees_with_pytorch(tmp_path, scale, stages, precision):
    network = load_network(load_weights(models.find("base", "clean").path, scale), stages)
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
    network = load_network(load_weights(models.find("base", "clean").path, 2), 1)
    with pytest.raises(BuildError, match="cannot be written"):
        export_onnx(network, tmp_path / "none" / "network.onnx")
    with pytest.raises(BuildError, match="precision is 'int8'"):
        export_onnx(network, tmp_path / "network.onnx", precision="int8")


class Undecided(nn.Module):
    """Whose result depends on what is in the picture."""

    def forward(self, x):
        return x if x.sum() > 0 else -x


class Broken(nn.Module):
    """Whose code fails."""

    def forward(self, x):
        return [x][1]


@pytest.mark.parametrize("module", [Undecided(), Broken()], ids=["undecided", "broken"])
def test_a_module_that_cannot_be_traced_is_one_sentence(tmp_path, module):
    with pytest.raises(BuildError, match=r"the module cannot be exported: [^\n]+$"):
        export_onnx(module, tmp_path / "network.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_says_what_it_is_and_nothing_of_where_it_was_made(tmp_path, pytestconfig):
    network = load_network(load_weights(models.find("base", "clean").path, 2), 1)
    path = tmp_path / "network.onnx"
    export_onnx(PictureNetwork(network), path, description={"model": "base-clean"})
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map == {"model": "base-clean"}
    assert str(pytestconfig.rootpath).encode() not in path.read_bytes()


def test_threads_may_export_at_once(tmp_path):
    network = PictureNetwork(load_network(load_weights(models.find("base", "clean").path, 2), 1))
    paths = [tmp_path / f"{number}.onnx" for number in range(3)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda path: export_onnx(network, path), paths))
    assert len({path.read_bytes() for path in paths}) == 1

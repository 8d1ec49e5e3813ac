"""Networks become one engine of the precision that was asked for."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.trt_build.modules import SMALL
from trt_build import BuildError, Profile, build
from trt_build.container import read_engine
from trt_build.convert import _interpreted, check_network, exported
from trt_build.frontend import front_end
from trt_build.store import entries
from vs_emtcm import models
from vs_emtcm.engines.load import load_network
from vs_emtcm.engines.tensorrt_plan import PROFILE
from vs_emtcm.network import DetailNetwork
from vs_emtcm.weights_file import load_weights

pytestmark = pytest.mark.filterwarnings("ignore")


def layers(module, profile, dtype):
    """Type and output dtype of every layer of the TensorRT network."""
    program = exported(module.to(dtype).eval(), profile, dtype)
    with front_end("sm89"):
        network = _interpreted(program, profile, dtype).ctx.net
        ends = [network.get_input(0), network.get_output(0)]
        kinds = [network.get_layer(i) for i in range(network.num_layers)]
        return [(end.dtype.name, tuple(end.shape)) for end in ends], [
            (layer.type.name, layer.get_output(0).dtype.name) for layer in kinds
        ]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("name", ["base", "large"])
def test_the_shipped_networks_become_one_engine_of_half_precision(tmp_path, name, scale, stages):
    network = load_network(load_weights(models.find(name, "video").path, scale), stages)
    module, profile = DetailNetwork(network), PROFILE.grown(network.radius)
    ends, inner = layers(module.half(), profile, torch.float16)
    assert ends == [("HALF", (1, 1, -1, -1)), ("HALF", (1, scale**2, -1, -1))]
    convolutions = [dtype for kind, dtype in inner if kind == "CONVOLUTION"]
    # Head, cubic, body and estimates: every convolution of the network, each in half precision.
    assert convolutions == ["HALF"] * sum(isinstance(m, nn.Conv2d) for m in module.modules()) + ["HALF"]
    assert "FLOAT" not in {dtype for _, dtype in inner}
    built = build(module, scale=scale, profile=profile, targets=("sm89", "sm120"), out=tmp_path / "a.engine")
    assert built.targets == ("sm89", "sm120")
    assert len(read_engine(tmp_path / "a.engine")) > 100_000


def test_static_and_single_precision_engines_are_built(tmp_path, tiny):
    static = Profile(minimum=(32, 48), optimum=(32, 48), maximum=(32, 48))
    ends, _ = layers(tiny, static, torch.float32)
    assert ends == [("FLOAT", (1, 1, 32, 48)), ("FLOAT", (1, 1, 64, 96))]
    build(tiny, scale=2, profile=static, precision="fp32", targets=("all",), out=tmp_path / "a.engine")
    assert verify_name(tmp_path / "a.engine").static


def verify_name(path):
    (entry,) = entries(path.parent)
    assert entry.spec is not None
    return entry.spec.profile


def test_a_network_of_another_precision_is_noticed(tiny):
    program = exported(tiny.float(), SMALL, torch.float32)
    with front_end("sm89"):
        network = _interpreted(program, SMALL, torch.float32).ctx.net
        with pytest.raises(BuildError, match="became FLOAT, not HALF"):
            check_network(network, torch.float16)


def test_exported_graphs_compute_the_module(tiny):
    program = exported(tiny.float(), SMALL, torch.float32)
    x = torch.rand(1, 1, 20, 50)
    np.testing.assert_allclose(program.module()(x).detach(), tiny(x).detach(), atol=1e-6)

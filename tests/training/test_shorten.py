"""A network without a layer."""

import torch

from tests.training.wide import wide_form
from training.shorten import without_layer
from vs_emtcm.network import Network
from vs_emtcm.shape import Shape


def test_without_a_layer_that_is_the_identity_the_result_is_the_same():
    form = wide_form()
    with torch.no_grad():
        kernel = form.kernels(2)["body2.1"]
        kernel.assign(torch.eye(6)[:, :, None, None] * torch.tensor([[0, 0, 0], [0, 1, 0], [0, 0, 0]]))
        layer = form.scale_form(2).activations["body2/1"]
        layer.bias.zero_()
        layer.slope.fill_(1)
    shorter = Network(2, Shape(channels=6, stage1=2, stage2=2))
    shorter.load_state_dict(without_layer(form.collapse(2), 1))
    x = torch.rand(1, 1, 30, 30)
    wanted = form.deployed(2).estimates(x)[1]
    torch.testing.assert_close(shorter.estimates(x)[1][..., 2:-2, 2:-2], wanted, rtol=0, atol=1e-5)

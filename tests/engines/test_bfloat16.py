"""Pixels and first kernels as sums of several bfloat16 numbers lose nothing that shows."""

import numpy as np
import torch

from tests.material import codes
from vs_emtcm import models
from vs_emtcm.engines.bfloat16 import PARTS, split_network, split_picture
from vs_emtcm.engines.load import load_network
from vs_emtcm.mirror import mirrored
from vs_emtcm.weights_file import load_weights

WEIGHTS = load_weights(models.find("base", "video").path, 2)


def test_a_split_picture_and_the_split_network_lose_nothing_in_single_precision():
    network = load_network(WEIGHTS, 2)
    x = mirrored(
        torch.from_numpy(codes(30, 40, bits=16).astype("float32") / 65535)[None, None], network.radius
    )
    parts = split_picture(x)
    np.testing.assert_array_equal(parts[:, 0] + parts[:, 1], x[:, 0])
    np.testing.assert_array_equal(parts.bfloat16().float()[:, 0], parts[:, 0])
    with torch.inference_mode():
        # What is small is left out: the rest of a pixel times the rest of a kernel.
        for split, expected in zip(split_network(network).details(parts), network.details(x), strict=True):
            torch.testing.assert_close(split, expected, rtol=0, atol=2e-5)


def test_another_default_device_changes_nothing():
    network = load_network(WEIGHTS, 2)
    expected = split_network(network).state_dict()
    with torch.device("meta"):
        split = split_network(network).state_dict()
    torch.testing.assert_close(split, expected, rtol=0, atol=0)


def test_split_kernels_are_bfloat16_and_sum_to_zero():
    network = load_network(WEIGHTS, 2)
    split = split_network(network)
    for kernel, parts in ((network.head.conv.weight, split.head.conv.weight), (network.cubic, split.cubic)):
        assert parts.shape == (len(kernel), PARTS, *kernel.shape[2:])
        np.testing.assert_array_equal(parts.detach().bfloat16().float(), parts.detach())
        # The two parts of a picture meet the same kernels.
        np.testing.assert_array_equal(parts[:, 0::2].detach(), parts[:, 1::2].detach())
        # What is left is the rounding of the third part, 2**-9 of the sum of the two others.
        assert float(parts.double().sum(dim=(1, 2, 3)).abs().max()) < 1e-6
    assert network.head.conv.weight.shape[1] == 1

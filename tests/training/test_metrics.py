"""PSNR, SSIM and VIF against their definitions."""

import numpy as np
import pytest

from tests.material import codes
from training.metrics import psnr, ssim, vif


def test_psnr_of_a_constant_difference():
    a = np.full((20, 20), 100, np.uint8)
    assert psnr(a, a + 5, 0) == pytest.approx(20 * np.log10(255 / 5))
    assert psnr(a, a, 0) == float("inf")


def test_borders_do_not_count():
    a = codes(20, 20)
    b = a.copy()
    b[:3] ^= 255
    assert psnr(a, b, 3) == float("inf")
    assert ssim(a, b, 3) == pytest.approx(1)
    c = codes(60, 60)
    d = c.copy()
    d[:3] ^= 255
    assert vif(d, c, 3) == pytest.approx(1, abs=1e-4) != pytest.approx(vif(d, c, 0), abs=1e-2)


def test_ssim_is_the_mean_over_windows_of_its_definition():
    a, b = codes(16, 15, seed=1).astype(float), codes(16, 15, seed=2).astype(float)
    x = np.arange(11) - 5
    window = np.exp(-(x[:, None] ** 2 + x[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for i in range(6):
        for j in range(5):
            p, q = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            c = (window * (p - mp) * (q - mq)).sum()
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            values.append((2 * mp * mq + c1) * (2 * c + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    assert ssim(a, b, 0) == pytest.approx(np.mean(values))


def test_vif_is_less_than_one_for_less_contrast_and_more_for_more():
    truth = codes(60, 60) / 2.0 + 64
    for contrast, least, most in ((0.7, 0.5, 0.95), (1.0, 0.9999, 1.0001), (1.3, 1.05, 1.5)):
        assert least < vif(128 + contrast * (truth - 128), truth, 2) < most

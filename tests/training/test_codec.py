"""Frames go through real encoders."""

import zlib

import numpy as np
import pytest

from tests.material import codes
from training.codec import CRF_ENCODERS, encode_and_decode, encode_and_decode_yuv
from training.degradation import degraded_pair, draw_degradation
from training.metrics import psnr


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "mpeg4", "mpeg2video"])
def test_encoders_damage_more_at_lower_quality(encoder):
    frames = [codes(64, 64, seed=i) for i in range(3)]
    good, bad = (
        encode_and_decode(frames, encoder, q) for q in ((16, 34) if encoder in CRF_ENCODERS else (2, 8))
    )
    assert len(good) == len(bad) == 3
    assert psnr(good[1], frames[1], 0) > psnr(bad[1], frames[1], 0) + 2


def test_colours_go_through_an_encoder_in_their_planes():
    frame = codes(48, 64), codes(24, 32, seed=1) // 2, codes(24, 32, seed=2) // 2 + 100
    (coded,) = encode_and_decode_yuv([frame], "libx264", 1)
    for plane, wanted in zip(coded, frame, strict=True):
        assert psnr(plane, wanted, 0) > 38


def test_x264_gives_the_same_picture_every_time():
    seed = zlib.crc32(b"0.png21")
    seen = set()
    for _ in range(20):
        rng = np.random.default_rng(seed)
        pair = degraded_pair(codes(300, 310), 2, draw_degradation(rng), rng)
        seen.add(pair.low.tobytes())
    assert len(seen) == 1

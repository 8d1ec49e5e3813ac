"""Chroma of pictures is scored beside Spline36's."""

import math

import numpy as np
import pytest
import vapoursynth as vs
from PIL import Image

from tests.material import codes
from training.chroma_scores import evaluate_chroma, to_yuv
from training.pictures import PictureError
from vs_emtcm import Upscaler


def picture(height=96, width=128):
    """Two colours whose border is seen in luma."""
    mask = codes(height, width)[..., None] / 255
    return np.round(mask * (230, 60, 40) + (1 - mask) * (20, 40, 160)).astype(np.uint8)


def test_yuv_is_zimgs():
    rgb = picture()
    blank = vs.core.std.BlankClip(width=128, height=96, format=vs.RGB24, length=1)

    def fill(n, f):
        frame = f.copy()
        for i in range(3):
            np.copyto(np.asarray(frame[i]), rgb[..., i])
        return frame

    yuv = blank.std.ModifyFrame(blank, fill).resize.Point(format=vs.YUV444P8, matrix=1)
    ours = to_yuv(rgb)
    with yuv.get_frame(0) as frame:
        luma, u, v = (np.asarray(frame[i]).astype(float) for i in range(3))
        np.testing.assert_allclose(ours[0], luma, atol=1)
        for plane, whole in zip(ours[1:], (u, v), strict=True):
            # Left: over a luma sample and halves of both beside it, of two rows.
            wide = np.pad(whole, ((0, 0), (1, 1)), mode="edge")
            reduced = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:])[:, ::2] / 4
            np.testing.assert_allclose(plane, (reduced[::2] + reduced[1::2]) / 2, atol=1.1)


@pytest.mark.parametrize("scale", [2, 3])
def test_chroma_that_follows_luma_is_nearer_to_the_truth_than_spline36s(tmp_path, scale):
    Image.fromarray(picture()).save(tmp_path / "colours.png")
    Image.new("L", (64, 64)).save(tmp_path / "grey.png")
    upscaler = Upscaler(scale, tune="clean")
    (score,) = evaluate_chroma(tmp_path, upscaler, None)
    assert (score.pictures, score.scale, score.crf) == (1, scale, None)
    assert score.ours > score.spline36 + 1
    (coded,) = evaluate_chroma(tmp_path, upscaler, 28)
    assert coded.ours < score.ours


def test_grey_pictures_alone_are_refused(tmp_path):
    Image.new("RGB", (64, 64), (9, 9, 9)).save(tmp_path / "grey.png")
    with pytest.raises(PictureError, match="holds no picture in colour"):
        evaluate_chroma(tmp_path, Upscaler(2), None)


@pytest.mark.parametrize("side", [7, 24, 38])
def test_pictures_that_are_all_border_are_refused(tmp_path, side):
    Image.fromarray(picture()[:side, :side]).save(tmp_path / "small.png")
    message = f"small.png is {side}x{side}; scores of chroma need sides of at least"
    with pytest.raises(PictureError, match=message):
        evaluate_chroma(tmp_path, Upscaler(2), None)


def test_chroma_that_is_identical_has_an_infinite_psnr(tmp_path):
    Image.new("RGB", (80, 80), (120, 60, 60)).save(tmp_path / "flat.png")
    (score,) = evaluate_chroma(tmp_path, Upscaler(2), None)
    assert (score.spline36, score.ours) == (math.inf, math.inf)


def test_chroma_that_is_identical_does_not_count_beside_other_pictures(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "colours.png")
    (alone,) = evaluate_chroma(tmp_path, Upscaler(2), None)
    Image.new("RGB", (80, 80), (120, 60, 60)).save(tmp_path / "flat.png")
    (score,) = evaluate_chroma(tmp_path, Upscaler(2), None)
    assert (score.spline36, score.ours) == pytest.approx((alone.spline36, alone.ours))
    assert (score.pictures, score.exact, alone.exact) == (2, ("flat.png",), ())

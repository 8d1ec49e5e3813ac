"""Clips are scored as they are."""

import av
import numpy as np

from training.methods import interpolations
from training.video_scores import evaluate_video, read_clip


def test_a_clip_is_scored_by_its_first_frames_as_they_are(make_clip):
    clip = make_clip(codec="ffv1", frames=5, width=70, height=66)
    lumas = read_clip(clip, 3, 4)
    with av.open(str(clip)) as container:
        for luma, frame in zip(lumas, list(container.decode(video=0))[:3], strict=True):
            np.testing.assert_array_equal(luma, frame.to_ndarray()[:64, :68])


def test_a_noisy_clip_has_the_same_noise_each_time(make_clip):
    clip = make_clip(codec="ffv1", frames=2, width=96, height=96)
    scores = [evaluate_video(clip, 2, 23, 2, interpolations(2), 20.0) for _ in range(2)]
    assert scores[0] == scores[1]
    plain = evaluate_video(clip, 2, 23, 2, interpolations(2))
    assert all(noisy.psnr < quiet.psnr for noisy, quiet in zip(scores[0], plain, strict=True))

"""Scores are means, and their JSON is JSON."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from tests.material import codes
from training.chroma_scores import ChromaScore
from training.scores import Score, read_scores, score_methods, scores_json
from vs_emtcm.errors import UsageError

SCORE = Score(name="Set", scale=2, method="bicubic", psnr=30.0, ssim=0.9, pictures=1)


# Scores of which one value is of another type.
WRONG = [
    json.dumps([{**asdict(SCORE), key: value}])
    for key, value in {
        "name": 1, "scale": "2", "method": None, "reduction": "yuv", "psnr": "x", "ssim": None, "vif": [],
        "pictures": 1.5, "exact": "a",
    }.items()
] + [json.dumps([{**asdict(SCORE), "scale": 7}]), "[" * 100_000, "1", "null"]  # fmt: skip


def strict(text):
    """What any JSON parser reads: Python's own takes infinities, which are none of JSON's."""

    def refuse(constant):
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def test_scores_are_means_over_pictures():
    high = [codes(64, 64, seed=i).astype(float) for i in range(2)]
    pairs = [(str(number), truth[::2, ::2], truth) for number, truth in enumerate(high)]
    methods = {f"off by {d}": lambda low, d=d: low.repeat(2, 0).repeat(2, 1) + d for d in (0, 3)}
    flat = [(str(d), np.full((32, 32), 100.0), np.full((64, 64), 100.0 + d)) for d in (1, 10)]
    (score, _) = score_methods("Set", 2, flat, methods, reduction="rgb", with_vif=False)
    assert score.psnr == pytest.approx(20 * math.log10(255) - 10)
    assert (score.name, score.scale, score.method) == ("Set", 2, "off by 0")
    assert (score.reduction, score.vif, score.pictures) == ("rgb", None, 2)
    seen = score_methods("clip", 2, pairs, methods, reduction="luma", with_vif=True)
    assert all(s.vif > 0 and s.pictures == 2 for s in seen)


def test_what_a_method_gives_back_exactly_does_not_count_in_any_mean_psnr():
    methods = {f"{d} off": lambda low, d=d: low.repeat(2, 0).repeat(2, 1) + d for d in (0, 1)}
    pairs = [(f"{d}.png", np.full((32, 32), 100.0), np.full((64, 64), 100.0 + d)) for d in (0, 10)]
    for chosen in (pairs, pairs[::-1]):
        first, second = score_methods("Set", 2, chosen, methods, reduction="luma", with_vif=False)
        assert first.psnr == pytest.approx(20 * math.log10(255 / 10))
        assert second.psnr == pytest.approx(20 * math.log10(255 / 9))
        assert first.exact == second.exact == ("0.png",)
        assert first.pictures == second.pictures == 2
        # It does in SSIM.
        alone = score_methods("Set", 2, pairs[1:], methods, reduction="luma", with_vif=False)
        assert first.ssim == pytest.approx((1 + alone[0].ssim) / 2)
    first, second = score_methods("Set", 2, pairs[:1], methods, reduction="luma", with_vif=False)
    assert (first.psnr, first.exact, second.exact) == (math.inf, (), ())
    assert second.psnr == pytest.approx(20 * math.log10(255))


def test_what_is_written_is_read(tmp_path):
    scores = [SCORE, replace(SCORE, reduction="rgb", vif=0.5, exact=("flat.png",))]
    (tmp_path / "scores.json").write_text(scores_json(scores))
    assert read_scores(tmp_path / "scores.json") == scores


def test_the_psnr_of_what_is_identical_is_null(tmp_path):
    identical = replace(SCORE, psnr=math.inf)
    text = scores_json([identical, SCORE])
    assert [row["psnr"] for row in strict(text)] == [None, 30.0]
    (tmp_path / "scores.json").write_text(text)
    assert read_scores(tmp_path / "scores.json") == [identical, SCORE]
    chroma = ChromaScore(name="Set", scale=2, crf=None, spline36=30.0, ours=math.inf, pictures=1)
    assert strict(scores_json([chroma]))[0] == {
        "name": "Set", "scale": 2, "crf": None, "spline36": 30.0, "ours": None, "pictures": 1, "exact": [],
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", "{}", "[1]", '[{"name": "Set"}]', '{"a": 1}', *WRONG])
def test_other_files_hold_no_scores(tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(UsageError, match=r"other\.json holds no scores; make some with"):
        read_scores(tmp_path / "other.json")

"""Tables beside the peers' figures."""

from dataclasses import replace

from matplotlib.axes import Axes

from training.report import cost, pareto_plot, picture_table, video_table
from training.scores import Score


def score(name):
    return Score(
        name=name, scale=2, method="bicubic", reduction="luma", psnr=30.0, ssim=0.9, vif=None, pictures=1
    )


def test_own_sets_stand_behind_the_published_ones():
    lines = picture_table([score("Mine"), score("Set14"), score("Set5")], 2, "luma").splitlines()
    assert lines[0] == "| network | parameters | GMAC | Set5 | Set14 | Mine |"
    published = next(line for line in lines if "FSRCNN, published" in line)
    assert published.endswith("| 37.00 | 32.63 | - |")
    alone = picture_table([score("Mine")], 2, "luma").splitlines()
    assert [line.split(" | ")[0] for line in alone[2:]] == ["| bicubic"]


def test_a_clip_without_a_method_has_no_score_under_it():
    first, other = replace(score("a"), psnr=33.0, vif=0.5), replace(score("a"), method="FSRCNN")
    lines = video_table(
        [first, other, replace(score("b"), psnr=31.0), replace(first, method="base")]
    ).splitlines()
    assert lines[0] == "| clip | bicubic | FSRCNN | base |"
    assert lines[2].startswith("| a, x2 | 33.00 / 0.9000 / 0.500 | 30.00 / 0.9000 / - |")
    assert lines[3] == "| b, x2 | 31.00 / 0.9000 / - | - | - |"


def test_every_method_of_known_cost_is_plotted(tmp_path, monkeypatch):
    lines = {}
    monkeypatch.setattr(Axes, "plot", lambda _, x, y, **style: lines.setdefault(style["label"], (x, y)))
    monkeypatch.setattr(Axes, "legend", lambda _: None)
    methods = {"base-clean/1": 30.0, "base-clean/2": 31.0, "base-video/2": 29.0, "bicubic": 28.0}
    scores = [replace(score("Mine"), method=m, reduction="rgb", psnr=psnr) for m, psnr in methods.items()]
    pareto_plot([*scores, replace(scores[0], scale=3), score("Mine")], "Mine", tmp_path / "plot.png")
    assert lines.keys() == {"EMTCM base-clean, by stages", "EMTCM base-video, by stages"}
    assert lines["EMTCM base-clean, by stages"][1] == (30.0, 31.0)
    assert (tmp_path / "plot.png").stat().st_size > 0


def test_peers_stand_under_the_sets_that_were_evaluated():
    rows = {}
    for sets in (("BSD100",), ("Set5", "BSD100"), ("Set5", "Set14", "BSD100")):
        lines = picture_table([score(name) for name in sets], 2, "luma").splitlines()
        rows[sets] = next(line.strip("| ").split(" | ") for line in lines if "FSRCNN, published" in line)
    assert rows["BSD100",][-1:] == ["31.53"]
    assert rows["Set5", "BSD100"][-2:] == ["37.00", "31.53"]
    assert rows["Set5", "Set14", "BSD100"][-3:] == ["37.00", "32.63", "31.53"]


def test_methods_that_are_no_networks_have_no_cost():
    assert [cost(method, 2) for method in ("bicubic", "base-clean", "base-clean/x", "base-clean/3")] == [
        None
    ] * 4

"""Tables beside the peers' figures."""

from training.evaluate import Score
from training.report import picture_table


def score(name):
    return Score(
        name=name, scale=2, method="bicubic", reduction="luma", psnr=30.0, ssim=0.9, vif=None, pictures=1
    )


def test_peers_stand_under_the_sets_that_were_evaluated():
    rows = {}
    for sets in (("BSD100",), ("Set5", "BSD100"), ("Set5", "Set14", "BSD100")):
        lines = picture_table([score(name) for name in sets], 2, "luma").splitlines()
        rows[sets] = next(line.strip("| ").split(" | ") for line in lines if "FSRCNN, published" in line)
    assert rows["BSD100",][-1:] == ["31.53"]
    assert rows["Set5", "BSD100"][-2:] == ["37.00", "31.53"]
    assert rows["Set5", "Set14", "BSD100"][-3:] == ["37.00", "32.63", "31.53"]

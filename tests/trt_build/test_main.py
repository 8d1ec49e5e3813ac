"""``python -m trt_build`` compiles any module."""

from types import SimpleNamespace

import pytest
from torch import nn

from trt_build import Profile
from trt_build.__main__ import main
from trt_build.store import entries

pytestmark = pytest.mark.filterwarnings("ignore")


def network():
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PixelShuffle(2))


def number():
    return 4


def broken():
    raise RuntimeError("no weights")


def test_a_module_of_any_package_is_compiled(tmp_path, capsys):
    sizes = ["--min", "8x8", "--opt", "64x32", "--max", "64x64"]
    out = tmp_path / "network.engine"
    factory = f"{__name__}:network"
    assert main([factory, "--scale", "2", *sizes, "--target", "sm89", "--out", str(out)]) == 0
    assert "fp16, 8x8..64x32..64x64, for sm89" in capsys.readouterr().out
    (entry,) = entries(tmp_path)
    assert entry.spec is not None
    assert (entry.spec.label, entry.spec.scale) == ("network", 2)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("nowhere:network", "cannot be called"),
        (f"{__name__}:missing", "cannot be called"),
        (f"{__name__}:broken", "cannot be called (no weights)"),
        (f"{__name__}:number", "returned a int; it must return a torch.nn.Module"),
    ],
)
def test_what_is_no_factory_is_refused(tmp_path, capsys, factory, message):
    assert main([factory, "--out", str(tmp_path / "a.engine"), "--target", "sm89"]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("named", "targets"),
    [([], None), (["--target", "sm89", "--target", "sm120,sm121"], ("sm89", "sm120,sm121"))],
)
def test_every_option_reaches_the_builder(tmp_path, monkeypatch, named, targets):
    asked = []

    def build(module, **given):
        asked.append((type(module), given))
        return SimpleNamespace(precision="fp32", profile="a profile", targets=("sm89",))

    monkeypatch.setattr("trt_build.__main__.build", build)
    sizes = ["--min", "16x8", "--opt", "64x32", "--max", "128x96"]
    out = tmp_path / "a.engine"
    options = ["--out", str(out), "--scale", "3", *sizes, "--precision", "fp32", *named]
    assert main([f"{__name__}:network", *options]) == 0
    profile = Profile(minimum=(8, 16), optimum=(32, 64), maximum=(96, 128))
    given = {"scale": 3, "profile": profile, "precision": "fp32", "targets": targets}
    assert asked == [(nn.Sequential, {**given, "out": out, "label": "network"})]

"""``vs-emtcm engines`` builds for GPUs that are not here, and looks after what it built."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

from tests.material import codes, run
from vs_emtcm import models
from vs_emtcm.engines.load import load_network
from vs_emtcm.engines.tensorrt_plan import PROFILE
from vs_emtcm.weights_file import load_weights

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    arguments = ("--tune", "clean", "--scale", 2, "--stages", 1, "--target", "all", "--store", folder)
    result = run("engines", "build", *arguments)
    assert result.exit_code == 0, result.output
    return folder


def test_engines_are_listed_described_and_verified(store):
    (entry,) = json.loads(run("engines", "list", "--store", store, "--json").stdout)
    assert entry["problem"] is None
    engine = entry["engine"]
    assert (engine["label"], engine["scale"], engine["precision"]) == ("base-clean-stage1", 2, "fp16")
    assert engine["targets"] == ["sm75", "sm80", "sm86", "sm89", "sm120", "sm121"]
    assert json.loads(run("engines", "info", entry["path"]).stdout) == engine
    listed = run("engines", "list", "--store", store).stdout
    assert "base-clean-stage1 x2 fp16 30x30..1934x1094..4110x2318 (borders included)" in listed
    name = listed.partition(":")[0]
    assert json.loads(run("engines", "info", name, "--store", store).stdout) == engine
    verified = run("engines", "verify", "--store", store)
    assert verified.exit_code == 0
    assert verified.stdout.endswith(": whole\n")


def test_the_default_sizes_are_those_that_are_used():
    shown = " ".join(run("engines", "build", "--help").stdout.split())
    for size in str(PROFILE).split(".."):
        assert f"[default: {size}]" in shown


def test_damaged_engines_are_reported(store):
    (store / "damaged.engine").write_bytes(b"x")
    listed = run("engines", "list", "--store", store)
    assert "damaged.engine is not an engine file of trt_build; build it again" in listed.stdout
    verified = run("engines", "verify", "--store", store)
    assert verified.exit_code == 1
    assert "damaged.engine" in verified.stderr
    (store / "damaged.engine").unlink()


def test_several_scales_and_speeds_may_be_parted_by_commas(tmp_path):
    arguments = ("--scale", "2,3", "--stages", "1,2", "--target", "sm89", "--store", tmp_path)
    assert run("engines", "build", *arguments).exit_code == 0
    found = [
        entry["engine"] for entry in json.loads(run("engines", "list", "--store", tmp_path, "--json").stdout)
    ]
    made = {(engine["label"], engine["scale"]) for engine in found}
    assert made == {(f"base-video-stage{n}", scale) for n in (1, 2) for scale in (2, 3)}


def test_all_that_is_asked_for_is_checked_before_the_first_is_built(tmp_path):
    result = run("engines", "build", "--scale", "2", "--scale", "5", "--target", "sm89", "--store", tmp_path)
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_store_is_cleared(tmp_path):
    (tmp_path / "a.engine").write_bytes(b"TRTBUILD1\nand no more")
    (tmp_path / "mine.engine").write_bytes(b"of another program")
    assert run("engines", "clear", "--store", tmp_path).stdout == f"deleted {tmp_path / 'a.engine'}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.engine"]
    (tmp_path / "mine.engine").unlink()
    for command in ("list", "verify", "clear"):
        result = run("engines", command, "--store", tmp_path)
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == f"vs-emtcm: there are no engines in {tmp_path}\n"


def test_a_store_without_permission_is_one_sentence(closed_folder):
    arguments = ("--scale", 2, "--stages", 1, "--target", "sm89", "--store", closed_folder)
    result = run("engines", "build", *arguments)
    assert result.exit_code == 2
    assert result.stderr.endswith("cannot be written: Permission denied; choose another folder\n")


def test_networks_are_written_as_onnx(tmp_path):
    path = tmp_path / "network.onnx"
    result = run("export", "onnx", "--tune", "clean", "--stages", 1, "--precision", "fp32", "--out", path)
    assert result.exit_code == 0, result.output
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [n.name for n in (*session.get_inputs(), *session.get_outputs())] == ["input", "output"]
    network = load_network(load_weights(models.find("base", "clean").path, 2), 1)
    for height, width in ((40, 60), (3, 50), (1, 1)):
        picture = codes(height, width)[None, None].astype(np.float32) / 255
        with torch.inference_mode():
            expected = network(torch.from_numpy(picture)).numpy()
        (result,) = session.run(None, {"input": picture})
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


def test_an_onnx_file_that_is_there_is_left_alone(tmp_path):
    path = tmp_path / "network.onnx"
    path.write_bytes(b"mine")
    refused = run("export", "onnx", "--out", path)
    assert (refused.exit_code, path.read_bytes()) == (2, b"mine")
    assert refused.stderr.endswith("exists already; give another name or --overwrite\n")
    assert run("export", "onnx", "--out", path, "--overwrite").exit_code == 0
    assert path.read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "--scale", "two"], "'two' is no number; give such as 2, or 2,3"),
        (["build", "--scale", "5"], "scale is 5; accepted are 2, 3 and 4"),
        (["build", "--stages", "3"], "stages is 3; accepted are 1"),
        (["build", "--target", "sm90"], "target is 'sm90'; accepted are all, sm75"),
        (["build", "--min", "64x64", "--opt", "32x32", "--target", "sm89"], "are not in order"),
        (["build", "--max", "big", "--target", "sm89"], "size is 'big'; give width and height"),
        (
            ["build", "--min", "1x16", "--target", "sm89"],
            "1x16..1920x1080..4096x2304; accepted are sizes from",
        ),
        (["build", "--max", "16384x16384", "--target", "sm89"], "accepted are sizes from 2x2 to 16370x16370"),
        (["build", "--precision", "int8", "--target", "sm89"], "precision is 'int8'"),
        (["build", "--model", "huge"], "model 'huge' with tune 'video' does not exist"),
        (["build"], "name a GPU with a target such as sm89"),
        (["info", "none.engine"], "none.engine cannot be read"),
    ],
)
def test_wrong_usage_is_one_sentence(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    store = [] if arguments[0] == "info" else ["--store", tmp_path / "store"]
    result = run("engines", *arguments, *store)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output

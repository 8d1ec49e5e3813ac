"""The command: exit codes, one sentence per error, reports."""

import errno
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.material import run
from tests.waiting import wait_until


def is_begun(folder):
    return any(".partial" in path.name for path in folder.iterdir())


def test_quiet_is_quiet(make_clip, tmp_path):
    result = run("upscale", make_clip(frames=4), tmp_path / "out.mp4", "--quiet")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.mkv", "out.mkv"], "none.mkv does not exist"),
        (["none.png", "out.png"], "none.png does not exist"),
        (["empty", "out"], "holds no picture"),
        (["text.mkv", "out.mkv"], "cannot be opened as a video"),
        (["clip.mkv", "clip.mkv", "--overwrite"], "is the input itself"),
        (["clip.mkv", "there.mkv"], "exists already"),
        (["clip.mkv", "nowhere/out.mkv"], "does not exist; create it first"),
        (["clip.mkv", "out.png"], "must name a video file"),
        (["moving.gif", "empty"], "is a kind of picture that is not read; convert it to PNG first"),
        (["clip.mkv", "large/"], "the folder large does not exist; create it first"),
        (["clip.mkv", "clip.mkv", "--skip-existing"], "is the input itself"),
        (["clip.mkv", "there.mkv", "--skip-existing", "--overwrite"], "exclude each other; give one"),
        (["clip.mkv", "out.mkv", "--codec", "h264", "--crf", "99"], "crf is 99; h264 takes 0 to 51"),
        (["moving.gif", "out.png"], "is a kind of picture that is not read; convert it to PNG first"),
        (["-", "out.mkv"], "- is a pipe; give a video"),
        (["*.mkv", "out.mkv"], "a folder of pictures or a pattern of pictures"),
        (["empty", "out"], "give one video at a time"),
        (["grey.png", "no/where/out.png"], "the folder no does not exist; create it first"),
        (["clip.mkv", "out.mkv", "--crf", "99"], "crf is 99; libx264 takes 0 to 51"),
        (
            ["clip.mkv", "out.mkv", "--codec", "libvpx-vp9", "--crf", "-1"],
            "crf is -1; libvpx-vp9 takes 0 to 63",
        ),
        (["clip.mkv", "out.mkv", "--codec", "libsvtav1", "--preset", "slow"], "accepted are -2 to 13"),
        (["clip.mkv", "out.mkv", "--codec", "h264_nvenc", "--preset", "p9"], "accepted are 0 to 9, slow"),
        (["clip.mkv", "out.mkv", "--codec", "h264_nvenc", "--preset", "p5"], "it needs its graphics card"),
        (["clip.mkv", "out.mkv", "--codec", "h264_nvenc"], "it needs its graphics card and driver"),
        (["clip.mkv", "out.mkv", "--codec", "hevc_nvenc", "--crf", "20"], "it needs its graphics card"),
        (["clip.mkv", "out.mkv", "--codec", "hevc_nvenc", "--crf", "52"], "hevc_nvenc takes 1 to 51"),
        (["clip.mkv", "out.mkv", "--encoder-option", "tune"], "is 'tune'; give NAME=VALUE"),
        (["clip.mkv", "out.mkv", "--encoder-option", "tuna=film"], "libx264 has no option tuna"),
        (["clip.mkv", "out.mkv", "--encoder-option", "tune=fill"], "try another --encoder-option"),
        (["grey.png", "out.png", "--encoder-option", "tune=film"], "--encoder-option is for videos"),
        (["grey.png", "out.png", "--assume-progressive"], "--assume-progressive is for videos"),
        (["grey.png", "out.png", "--crf", "0"], "--crf is for videos"),
        (["grey.png", "out.png", "--lanes", "2"], "--lanes is for videos"),
        (["clip.mkv", "out.mkv", "--crf", "20", "--encoder-option", "qp=0"], "exclude each other"),
        (["grey.png", "out.png", "--quality", "80"], "a .png file loses nothing; leave --quality out"),
        (["grey.png", "out.jpg", "--quality", "0"], "greater than or equal to 1"),
        (["clip.mkv", "out.mkv", "--quality", "80"], "of videos --crf is the quality"),
        (["clip.mkv", "out.mkv", "--codec", "h266"], "is not a known encoder"),
        (["clip.mkv", "out.mkv", "--model", "huge"], "does not exist; available are"),
        (["clip.mkv", "out.mkv", "--scale", "5"], "scale is 5"),
        (["clip.mkv", "out.mkv", "--scale", "two"], "Invalid value for"),
        (["clip.mkv", "out.mkv", "--stages", "9"], "stages is 9"),
        (["clip.mkv", "out.mkv", "--tile", "5"], "tile is 5"),
        (["clip.mkv", "out.mkv", "--threads", "5000"], "less than or equal to 1024"),
        (["grey.png", "out.png", "--codec", "libx264"], "--codec is for videos"),
        (["grey.png", "out.png", "--resume"], "for pictures, --skip-existing goes on where a run was"),
        (["grey.png", "out.png", "--pix-fmt", "yuv420p"], "--pix-fmt is for videos"),
        (["clip.mkv", "out.mkv", "--device", "moon"], "device is 'moon'"),
        (["clip.mkv", "out.mkv", "--backend", "moon"], "backend is 'moon'"),
        (["clip.mkv"], "Missing argument"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(make_clip, tmp_path, monkeypatch, arguments, message):
    make_clip("clip.mkv", frames=2)
    (tmp_path / "there.mkv").write_bytes(b"precious")
    (tmp_path / "text.mkv").write_text("no video")
    (tmp_path / "empty").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "grey.png")
    Image.new("L", (8, 8)).save(tmp_path / "moving.gif")
    monkeypatch.chdir(tmp_path)
    before = {p: p.is_file() and p.read_bytes() for p in tmp_path.iterdir()}
    result = run("upscale", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert {p: p.is_file() and p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_damaged_video_is_a_warning_and_exit_code_1_unless_allowed(make_clip, tmp_path):
    whole = make_clip(frames=100, width=96, height=96)
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = run("upscale", damaged, tmp_path / "out.mkv", "--stages", 1)
    assert result.exit_code == 1
    assert "warning:" in result.stderr
    assert (tmp_path / "out.mkv").exists()
    allowed = run("upscale", damaged, tmp_path / "out.mkv", "--stages", 1, "--overwrite", "--allow-damaged")
    assert allowed.exit_code == 0
    assert "warning:" in allowed.stderr


def test_a_run_that_was_told_to_outlive_its_terminal_does(make_clip, tmp_path):
    source = make_clip(frames=60, width=320, height=240)
    command = [
        "nohup",
        sys.executable,
        "-m",
        "vs_emtcm.cli",
        "upscale",
        str(source),
        str(tmp_path / "out.mkv"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        wait_until(lambda: is_begun(tmp_path), 240, "an unfinished file", process)
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert (tmp_path / "out.mkv").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full disk to show")
def test_a_report_that_cannot_be_written_is_one_sentence():
    command = [sys.executable, "-m", "vs_emtcm.cli", "models"]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "vs-emtcm: error: no space left on device\n"


def test_what_could_not_be_written_is_a_failure_though_damage_is_allowed(tmp_path, monkeypatch):
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    Image.new("RGB", (16, 16)).save(source / "Whole.png")
    (source / "Damaged.png").write_bytes(b"no picture")
    allowed = run("upscale", source, target, "--allow-damaged", "--json")
    assert allowed.exit_code == 0
    report = json.loads(allowed.stdout)
    assert report["failures"] == []
    (damage,) = report["damage"]
    assert damage.startswith(f"{source}/Damaged.png cannot be read")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    result = run("upscale", source, target, "--allow-damaged", "--json", "--overwrite")
    assert result.exit_code == 1
    (failure,) = json.loads(result.stdout)["failures"]
    assert failure == f"{target}/Whole.png cannot be written: no space left on device"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(make_clip, tmp_path, number):
    source = make_clip(frames=400, width=320, height=240)
    command = [sys.executable, "-m", "vs_emtcm.cli", "upscale", str(source), str(tmp_path / "out.mkv")]
    # A shell's background jobs ignore SIGINT, and so would the command that they start.
    before = signal.signal(number, signal.SIG_DFL)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    signal.signal(number, before)
    with process:
        wait_until(lambda: is_begun(tmp_path), 240, "an unfinished file", process)
        time.sleep(0.3)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.splitlines()[-1] == "vs-emtcm: interrupted; no unfinished file was left behind"
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


def test_models_are_listed():
    result = run("models")
    assert "--model base --tune video" in result.stdout
    assert json.loads(run("models", "--json").stdout)[0]["model"] == "base"


def test_a_reader_that_has_enough_ends_the_command_quietly():
    command = [sys.executable, "-m", "vs_emtcm.cli", "models", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() in (0, 1)

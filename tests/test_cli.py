"""The command: exit codes, one sentence per error, reports."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import codes, run
from vs_emtcm import EmtcmError, command
from vs_emtcm.video import VideoReport, VideoSettings
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.workfolder import folder_path


def test_a_video_is_upscaled_and_reported(make_clip, tmp_path):
    result = run("upscale", make_clip(frames=4), tmp_path / "out.mkv", "--scale", 3, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["frames"], report["width"], report["height"]) == (4, 144, 96)
    assert set(report["parts"]) == {"decode", "network", "encode"}
    assert report["failures"] == []


def test_the_closing_line_names_the_parts(make_clip, tmp_path):
    result = run("upscale", make_clip(frames=4), tmp_path / "out.mp4")
    assert "4 frames of 96x64 in" in result.stderr
    assert "decode" in result.stderr
    assert result.stdout == ""


def test_threads_are_those_of_the_network_too(make_clip, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    source = make_clip(frames=1)
    assert run("upscale", source, tmp_path / "all.mkv").exit_code == 0
    assert told == []
    assert run("upscale", source, tmp_path / "one.mkv", "--threads", 1).exit_code == 0
    assert told == [1]


def test_every_option_arrives_where_it_is_meant_for(make_clip, tmp_path, monkeypatch):
    told = []

    class Told:
        engine = SimpleNamespace(description="none")

        def __init__(self, scale, **settings):
            told.append({"scale": scale} | settings)

    def upscale(_source, _target, _upscaler, settings, *_):
        told.append(settings)
        return VideoReport(
            frames=30,
            resumed=20,
            size=(96, 64),
            seconds=2.0,
            decode=0.5,
            network=1.5,
            encode=1.0,
            damage=(),
            warnings=(),
        )

    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(command, "Upscaler", Told)
    monkeypatch.setattr(command, "upscale_video", upscale)
    arguments = ("upscale", make_clip(frames=1), tmp_path / "out.mkv")
    usual = {"model": "base", "tune": "video", "stages": 2, "backend": "auto", "device": "auto", "tile": None}
    result = run(*arguments)
    assert told == [{"scale": 2} | usual, VideoSettings()]
    # What was done before says nothing about the pace.
    assert "30 frames of 96x64 (20 of them done before) in 2.0 s, 5.00 fps; decode 0.5 s" in result.stderr
    told.clear()
    network = "--scale 3 --model large --tune clean --stages 1 --backend torch --device cpu --tile 64"
    encoder = "--codec libx265 --crf 20.5 --preset fast --pix-fmt yuv420p10le"
    more = "--encoder-option tune=grain --encoder-option g=50"
    video = "--threads 2 --lanes 4 --resume --assume-progressive --json"
    result = run(*arguments, *f"{network} {encoder} {more} {video}".split())
    report = json.loads(result.stdout)
    assert (report["frames"], report["resumed"], report["fps"]) == (30, 20, 5.0)
    assert report["parts"] == {"decode": 0.5, "network": 1.5, "encode": 1.0}
    upscaler, settings = told
    assert upscaler == {
        "scale": 3,
        "model": "large",
        "tune": "clean",
        "stages": 1,
        "backend": "torch",
        "device": "cpu",
        "tile": 64,
    }
    assert settings == VideoSettings(
        encoder=EncoderSettings(
            codec="libx265",
            crf=20.5,
            preset="fast",
            pix_fmt="yuv420p10le",
            options=(("tune", "grain"), ("g", "50")),
            threads=2,
        ),
        threads=2,
        resume=True,
        assume_progressive=True,
        lanes=4,
    )


def test_svt_av1_does_not_write_to_the_terminal(make_clip, tmp_path):
    """In a process of its own: the library looks up once whether it may."""
    source = make_clip(width=64, height=64, frames=2)
    command = [
        sys.executable,
        "-m",
        "vs_emtcm",
        "upscale",
        source,
        tmp_path / "out.mkv",
        "--codec",
        "libsvtav1",
    ]
    silent = {name: value for name, value in os.environ.items() if name != "SVT_LOG"}
    result = subprocess.run(
        [*command, "--preset", "12", "--quiet"], env=silent, capture_output=True, check=True
    )
    assert (result.stdout, result.stderr) == (b"", b"")


def test_quiet_is_quiet(make_clip, tmp_path):
    result = run("upscale", make_clip(frames=4), tmp_path / "out.mp4", "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_pictures_use_the_clean_tune_unless_told_otherwise(tmp_path):
    Image.fromarray(codes(20, 20)).save(tmp_path / "in.png")
    results = {}
    for name, extra in (("auto", ()), ("clean", ("--tune", "clean")), ("video", ("--tune", "video"))):
        assert run("upscale", tmp_path / "in.png", tmp_path / f"{name}.png", *extra).exit_code == 0
        with Image.open(tmp_path / f"{name}.png") as picture:
            results[name] = np.asarray(picture)
    np.testing.assert_array_equal(results["auto"], results["clean"])
    assert (results["video"] != results["clean"]).any()


def test_jpeg_pictures_that_show_it_use_the_video_tune(tmp_path):
    (tmp_path / "in").mkdir()
    for quality in (60, 99):
        Image.fromarray(codes(20, 20)).save(tmp_path / "in" / f"{quality}.jpg", quality=quality)
    assert run("upscale", tmp_path / "in", f"{tmp_path}/out/%d.png").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    for name, source, tune in zip(names, (60, 99), ("video", "clean"), strict=True):
        own = tmp_path / f"{tune}.png"
        assert run("upscale", tmp_path / "in" / f"{source}.jpg", own, "--tune", tune).exit_code == 0
        assert own.read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_a_picture_too_large_for_the_memory_does_not_stop_the_others(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(codes(9, 9)).save(tmp_path / "in" / name)
    whole = command.upscale_picture

    def full(source, *rest):
        if source.name == "a.png":
            raise MemoryError
        return whole(source, *rest)

    monkeypatch.setattr(command, "upscale_picture", full)
    result = run("upscale", tmp_path / "in", tmp_path / "out")
    assert result.exit_code == 1
    assert "a.png does not fit into the memory; a smaller --scale takes less" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]


def test_one_upscaler_does_all_pictures_of_one_tuning(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    Image.fromarray(codes(20, 20)).save(tmp_path / "in" / "a.png")
    Image.fromarray(codes(20, 20)).save(tmp_path / "in" / "b.jpg", quality=50)
    made, make = [], command.Upscaler

    def noted(*given, **options):
        made.append(options["tune"])
        return make(*given, **options)

    monkeypatch.setattr(command, "Upscaler", noted)
    for extra, tunes in ((("--tune", "clean"), ["clean"]), ((), ["clean", "video"])):
        made.clear()
        assert run("upscale", tmp_path / "in", tmp_path / "out", "--overwrite", *extra).exit_code == 0
        assert made == tunes


def test_a_folder_is_upscaled_and_a_bad_picture_does_not_stop_it(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "c.png"):
        Image.fromarray(codes(9, 9)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "b.png").write_bytes(b"broken")
    result = run("upscale", tmp_path / "in", tmp_path / "out")
    assert result.exit_code == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    assert "b.png cannot be read as a picture" in result.stderr


def test_results_that_are_there_can_be_skipped(make_clip, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(codes(9, 9)).save(tmp_path / "in" / name)
    (tmp_path / "out" / "a.png").write_bytes(b"finished")
    arguments = ("upscale", tmp_path / "in", tmp_path / "out", "--skip-existing")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "1 picture of 18x18" in result.stderr
    assert "1 skipped, there already" in result.stderr
    assert (tmp_path / "out" / "a.png").read_bytes() == b"finished"
    assert run(*arguments).stderr == "nothing to do: there already: 2\n"
    report = json.loads(run(*arguments, "--json").stdout)
    assert (report["frames"], report["skipped"]) == (0, 2)
    film = make_clip("film.mkv", frames=2)
    assert run("upscale", film, tmp_path / "out", "--skip-existing").exit_code == 0
    written = (tmp_path / "out" / "film.mkv").read_bytes()
    report = json.loads(run("upscale", film, tmp_path / "out", "--skip-existing", "--json").stdout)
    assert (report["frames"], report["skipped"]) == (0, 1)
    assert (tmp_path / "out" / "film.mkv").read_bytes() == written


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("https://example.com/film.mkv", "https://example.com/film.mkv is an address; download it first"),
        ("empty.mkv", "empty.mkv is empty; give a video"),
        ("empty.png", "empty.png is empty; give a video, a picture"),
    ],
)
def test_what_is_no_film_is_told_by_its_name(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    for name in ("empty.mkv", "empty.png"):
        (tmp_path / name).touch()
    result = run("upscale", source, "out.mkv" if source.endswith("mkv") else "out.png")
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_name_that_ends_like_a_folders_is_one(tmp_path):
    Image.fromarray(codes(9, 9)).save(tmp_path / "in.png")
    assert run("upscale", tmp_path / "in.png", f"{tmp_path}/new/").exit_code == 0
    assert (tmp_path / "new" / "in.png").is_file()


def test_what_an_interrupted_run_left_is_named_where_it_is_not_used(make_clip, tmp_path):
    source, target = make_clip(frames=2), tmp_path / "out.mkv"
    left = folder_path(target)
    left.mkdir()
    result = run("upscale", source, target)
    assert result.exit_code == 0
    assert f"{left} holds what an earlier run has done; --resume goes on with it" in result.stderr


def test_a_kind_of_picture_that_is_not_read_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.gif"):
        Image.fromarray(codes(9, 9)).save(tmp_path / "in" / name)
    result = run("upscale", tmp_path / "in", tmp_path / "out")
    assert result.exit_code == 0
    assert "b.gif is a kind of picture that is not read; convert it to PNG first" in result.stderr


def test_what_is_lost_is_said_before_the_work_is_done(make_clip, tmp_path):
    source = make_clip(codec="ffv1", pix_fmt="yuva420p", frames=2)
    result = run("upscale", source, tmp_path / "out.mkv", "--stages", 1)
    first, last = result.stderr.splitlines()
    assert first.startswith("vs-emtcm: warning: transparency is left out")
    assert last.startswith("2 frames of 96x64")
    report = json.loads(run("upscale", source, tmp_path / "b.mkv", "--stages", 1, "--json").stdout)
    assert len(report["warnings"]) == 1


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


def test_a_damaged_picture_is_one_sentence_and_exit_code_1(tmp_path):
    source, target = tmp_path / "broken.png", tmp_path / "new" / "out.png"
    source.write_text("no picture")
    result = run("upscale", source, target)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"vs-emtcm: error: {source} cannot be read as a picture: ")
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("error", "message"),
    [(KeyboardInterrupt, "interrupted; no unfinished file"), (EmtcmError("it failed"), "error: it failed")],
)
@pytest.mark.parametrize("left", [(), ("another's",)])
def test_a_folder_that_was_made_for_nothing_goes_and_hides_no_error(
    tmp_path, monkeypatch, error, message, left
):
    source, folder = tmp_path / "in.png", tmp_path / "new"
    Image.fromarray(codes(9, 9)).save(source)

    def fail(*_):
        for name in left:
            (folder / name).touch()
        raise error

    monkeypatch.setattr(command, "upscale_picture", fail)
    before = signal.getsignal(signal.SIGINT)
    result = run("upscale", source, folder / "out.png")
    signal.signal(signal.SIGINT, before)
    assert result.exit_code == 1
    assert message in result.stderr
    assert folder.exists() == bool(left)


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
        for _ in range(4800):
            if any(".partial" in p.name for p in tmp_path.iterdir()):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert (tmp_path / "out.mkv").is_file()


@pytest.mark.parametrize("arguments", [("", "out.mkv"), ("in.mkv", "")])
def test_an_empty_name_is_refused(arguments):
    result = run("upscale", *arguments)
    assert result.exit_code == 2
    assert "is empty; give the name of a file or a folder" in result.stderr


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
        for _ in range(4800):
            if any(".partial" in p.name for p in tmp_path.iterdir()):
                break
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.splitlines()[-1] == "vs-emtcm: interrupted; no unfinished file was left behind"
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


# The command with short segments.
SHORT = """
from vs_emtcm.video import workfolder
workfolder.SEGMENT_FRAMES = 20
from vs_emtcm.cli import main
main()
"""


def interrupted(command, folder, number):
    """Run the command until two segments are done and the third is begun; its exit code and last words."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    with process:
        for _ in range(24000):
            # Then the second is counted, and not only there.
            if (folder / "000002.segment.partial").exists():
                break
            time.sleep(0.01)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors.splitlines()[-1:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_video_says_where_it_goes_on(make_clip, tmp_path, number):
    source, target = make_clip(codec="ffv1", frames=150, width=160, height=120), tmp_path / "out.mkv"
    arguments = ["upscale", str(source), str(target), "--resume", "--codec", "ffv1", "--json"]
    folder = folder_path(target)
    code, words = interrupted([sys.executable, "-c", SHORT, *arguments], folder, number)
    assert code == 1
    assert not target.exists()
    done = 20 * len(list(folder.glob("*.segment")))
    assert 40 <= done < 150
    # Another segment may have its name already and is not yet counted.
    sentence = "vs-emtcm: interrupted; the same command goes on from frame"
    assert words in ([f"{sentence} {done}"], [f"{sentence} {done - 20}"])


def test_a_video_goes_on_where_it_was_killed(make_clip, tmp_path):
    source = make_clip(codec="ffv1", frames=100, width=160, height=120)
    target, whole = tmp_path / "out.mkv", tmp_path / "whole.mkv"
    folder = folder_path(target)
    options = ["--codec", "ffv1", "--stages", "1"]
    arguments = ["upscale", str(source), str(target), "--resume", "--json", *options]
    command = [sys.executable, "-c", SHORT, *arguments]
    assert interrupted(command, folder, signal.SIGKILL)[0] == -signal.SIGKILL
    assert not target.exists()
    done = 20 * len(list(folder.glob("*.segment")))
    assert 40 <= done < 100
    other = run(*arguments, "--scale", 3)
    assert other.exit_code == 2
    assert "(scale was 2, now it is 3)" in other.stderr
    resumed = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(resumed.stdout)
    assert (report["frames"], report["resumed"]) == (100, done)
    assert not folder.exists()
    assert run("upscale", source, whole, *options).exit_code == 0
    with av.open(str(target)) as ours, av.open(str(whole)) as theirs:
        for one, other in zip(ours.decode(video=0), theirs.decode(video=0), strict=True):
            assert one.pts == other.pts
            np.testing.assert_array_equal(one.to_ndarray(), other.to_ndarray())


def test_resume_follows_the_rules_of_existing_files(make_clip, tmp_path):
    arguments = ("upscale", make_clip(frames=3), tmp_path / "out.mkv", "--resume", "--stages", 1)
    assert run(*arguments).exit_code == 0
    written = (tmp_path / "out.mkv").read_bytes()
    again = run(*arguments)
    assert again.exit_code == 2
    assert "exists already; give another name or --overwrite" in again.stderr
    assert "nothing to do" in run(*arguments, "--skip-existing").stderr
    assert (tmp_path / "out.mkv").read_bytes() == written
    assert "3 frames of 96x64 in" in run(*arguments, "--overwrite").stderr
    assert not list(tmp_path.glob(".*"))


def test_a_folder_without_permission_is_refused(make_clip, closed_folder):
    result = run("upscale", make_clip(frames=1), closed_folder / "out.mkv")
    assert result.exit_code == 2
    assert "cannot be written to: permission denied" in result.stderr


def test_models_are_listed():
    result = run("models")
    assert "--model base --tune video" in result.stdout
    assert json.loads(run("models", "--json").stdout)[0]["model"] == "base"


def test_a_video_may_have_brackets_in_its_name(make_clip, tmp_path):
    source = make_clip("film [1080p].mkv", frames=2)
    result = run("upscale", source, tmp_path / "film [2x].mkv")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "film [2x].mkv").exists()
    missing = run("upscale", tmp_path / "other [1080p].mkv", tmp_path / "out.mkv")
    assert "does not exist" in missing.stderr


def test_numbered_results_never_replace_pictures_still_to_be_read(tmp_path):
    for number in range(3):
        Image.fromarray(codes(8, 8, seed=number)).save(tmp_path / f"{number}.png")
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    result = run("upscale", tmp_path / "*.png", tmp_path / "%d.png", "--overwrite")
    assert result.exit_code == 2
    assert "is an input itself" in result.stderr
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_wrong_usage_makes_no_folder(tmp_path):
    Image.fromarray(codes(8, 8)).save(tmp_path / "a.png")
    assert run("upscale", tmp_path / "*.png", tmp_path / "out", "--model", "huge").exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_too_long_is_one_sentence(make_clip, tmp_path):
    result = run("upscale", make_clip(frames=1), tmp_path / ("x" * 300 + ".mkv"))
    assert result.exit_code == 1
    assert "file name too long" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    for number, options in enumerate([(), ("--resume",)]):
        fits = tmp_path / (f"{number}" * 250 + ".mkv")
        assert run("upscale", tmp_path / "clip.mkv", fits, *options).exit_code == 0


def test_quality_is_that_of_the_lossy_pictures_of_a_folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.fromarray(codes(32, 32)).save(folder / name)
    assert run("upscale", folder, tmp_path / "low", "--quality", 30).exit_code == 0
    assert run("upscale", folder, tmp_path / "usual").exit_code == 0
    low, usual = ((tmp_path / n / "b.jpg").stat().st_size for n in ("low", "usual"))
    assert low < usual / 2

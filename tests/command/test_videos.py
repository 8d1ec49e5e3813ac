"""Videos by the command: results, names, interruptions."""

import json
import os
import signal
import subprocess
import sys

import av
import numpy as np
import pytest

from tests.material import run
from tests.waiting import wait_until
from vs_emtcm.video.workfolder import folder_path


def test_a_video_is_upscaled_and_reported(make_clip, tmp_path):
    result = run("upscale", make_clip(frames=4), tmp_path / "out.mkv", "--scale", 3, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["frames"], report["width"], report["height"]) == (4, 144, 96)
    assert set(report["parts"]) == {"decode", "network", "encode"}
    assert report["failures"] == []


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


def test_what_is_lost_is_said_before_the_work_is_done(make_clip, tmp_path):
    source = make_clip(codec="ffv1", pix_fmt="yuva420p", frames=2)
    result = run("upscale", source, tmp_path / "out.mkv", "--stages", 1)
    first, last = result.stderr.splitlines()
    assert first.startswith("vs-emtcm: warning: transparency is left out")
    assert last.startswith("2 frames of 96x64")
    report = json.loads(run("upscale", source, tmp_path / "b.mkv", "--stages", 1, "--json").stdout)
    assert len(report["warnings"]) == 1


def test_a_video_may_have_brackets_in_its_name(make_clip, tmp_path):
    source = make_clip("film [1080p].mkv", frames=2)
    result = run("upscale", source, tmp_path / "film [2x].mkv")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "film [2x].mkv").exists()
    missing = run("upscale", tmp_path / "other [1080p].mkv", tmp_path / "out.mkv")
    assert "does not exist" in missing.stderr


def test_a_name_that_is_too_long_is_one_sentence(make_clip, tmp_path):
    result = run("upscale", make_clip(frames=1), tmp_path / ("x" * 300 + ".mkv"))
    assert result.exit_code == 1
    assert "file name too long" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    for number, options in enumerate([(), ("--resume",)]):
        fits = tmp_path / (f"{number}" * 250 + ".mkv")
        assert run("upscale", tmp_path / "clip.mkv", fits, *options).exit_code == 0


def test_a_folder_without_permission_is_refused(make_clip, closed_folder):
    result = run("upscale", make_clip(frames=1), closed_folder / "out.mkv")
    assert result.exit_code == 2
    assert "cannot be written to: permission denied" in result.stderr


def test_what_an_interrupted_run_left_is_named_where_it_is_not_used(make_clip, tmp_path):
    source, target = make_clip(frames=2), tmp_path / "out.mkv"
    left = folder_path(target)
    left.mkdir()
    result = run("upscale", source, target)
    assert result.exit_code == 0
    assert f"{left} holds what an earlier run has done; --resume goes on with it" in result.stderr


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
        # Once the third segment is begun, the second is counted and not only written.
        third = folder / "000002.segment.partial"
        wait_until(third.exists, 240, "the third segment", process)
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

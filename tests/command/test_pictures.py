"""Pictures by the command: one or many, bad ones among them."""

import signal

import numpy as np
import pytest
from PIL import Image

from tests.material import codes, run
from vs_emtcm import EmtcmError
from vs_emtcm.command import pictures, request


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


def test_one_upscaler_does_all_pictures_of_one_tuning(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    Image.fromarray(codes(20, 20)).save(tmp_path / "in" / "a.png")
    Image.fromarray(codes(20, 20)).save(tmp_path / "in" / "b.jpg", quality=50)
    made, make = [], request.Upscaler

    def noted(*given, **options):
        made.append(options["tune"])
        return make(*given, **options)

    monkeypatch.setattr(request, "Upscaler", noted)
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


def test_a_picture_too_large_for_the_memory_does_not_stop_the_others(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(codes(9, 9)).save(tmp_path / "in" / name)
    whole = pictures.upscale_picture

    def full(source, *rest):
        if source.name == "a.png":
            raise MemoryError
        return whole(source, *rest)

    monkeypatch.setattr(pictures, "upscale_picture", full)
    result = run("upscale", tmp_path / "in", tmp_path / "out")
    assert result.exit_code == 1
    assert "a.png does not fit into the memory; a smaller --scale takes less" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]


def test_a_name_that_ends_like_a_folders_is_one(tmp_path):
    Image.fromarray(codes(9, 9)).save(tmp_path / "in.png")
    assert run("upscale", tmp_path / "in.png", f"{tmp_path}/new/").exit_code == 0
    assert (tmp_path / "new" / "in.png").is_file()


def test_a_kind_of_picture_that_is_not_read_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.gif"):
        Image.fromarray(codes(9, 9)).save(tmp_path / "in" / name)
    result = run("upscale", tmp_path / "in", tmp_path / "out")
    assert result.exit_code == 0
    assert "b.gif is a kind of picture that is not read; convert it to PNG first" in result.stderr


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

    monkeypatch.setattr(pictures, "upscale_picture", fail)
    before = signal.getsignal(signal.SIGINT)
    result = run("upscale", source, folder / "out.png")
    signal.signal(signal.SIGINT, before)
    assert result.exit_code == 1
    assert message in result.stderr
    assert folder.exists() == bool(left)


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


def test_quality_is_that_of_the_lossy_pictures_of_a_folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.fromarray(codes(32, 32)).save(folder / name)
    assert run("upscale", folder, tmp_path / "low", "--quality", 30).exit_code == 0
    assert run("upscale", folder, tmp_path / "usual").exit_code == 0
    low, usual = ((tmp_path / n / "b.jpg").stat().st_size for n in ("low", "usual"))
    assert low < usual / 2

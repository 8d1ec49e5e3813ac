"""The doctor tries what is installed, and says what works."""

import json

from tests.material import run


def test_doctor_tries_what_is_installed(monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("vs_emtcm.doctor.Upscaler", broken)
    assert "backend torch on cpu: does not work: two lines" in run("doctor").stdout


def test_doctor_says_what_works():
    result = run("doctor")
    assert "backend torch on cpu: works" in result.stdout
    assert "backend openvino on cpu: " in result.stdout
    report = json.loads(run("doctor", "--json").stdout)
    assert report["versions"]["torch"]
    assert {b["device"] for b in report["backends"]} == {"cpu", "cuda"}

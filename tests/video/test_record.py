"""What changes the film is told apart from what does not."""

import av
import pytest

from vs_emtcm import Upscaler
from vs_emtcm.video.encoder import EncoderSettings
from vs_emtcm.video.record import describe


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("codec", {"codec": "libx264"}),
        ("crf", {"crf": 20}),
        ("preset", {"preset": "slow"}),
        ("pixel format", {"pix_fmt": "yuv420p10le"}),
        ("encoder options", {"options": (("tune", "film"),)}),
    ],
)
def test_settings_that_change_the_film_are_told_apart(make_clip, name, changed):
    source, upscaler = make_clip(frames=1), Upscaler(2, stages=1)
    before = describe(source, upscaler, EncoderSettings(codec="libx265"))
    after = describe(source, upscaler, EncoderSettings(**({"codec": "libx265"} | changed)))
    assert {key for key in before if before[key] != after[key]} == {name}
    assert before.keys() == after.keys()


def test_what_else_changes_the_film_is_told_apart(make_clip, monkeypatch):
    source, encoder = make_clip(frames=1), EncoderSettings()
    before = describe(source, Upscaler(2, stages=1), encoder)

    def changed(upscaler):
        after = describe(source, upscaler, encoder)
        return {key for key in before if before[key] != after[key]}

    assert changed(Upscaler(2, stages=1, tile=64)) == set()
    assert changed(Upscaler(2, stages=2)) == {"stages"}
    assert changed(Upscaler(2, stages=1, tune="clean")) == {"weights (of model and tune)"}
    assert changed(Upscaler(3, stages=1)) == {"scale", "weights (of model and tune)"}
    other = "torch" if "OpenVINO" in str(before["engine"]) else "openvino"
    assert changed(Upscaler(2, stages=1, backend=other, device="cpu")) == {"engine"}
    with source.open("ab") as file:
        file.write(b"more")
    assert "the size of the input" in changed(Upscaler(2, stages=1))
    monkeypatch.setattr("vs_emtcm.video.record.__version__", "0")
    monkeypatch.setattr(av, "__version__", "0")
    assert changed(Upscaler(2, stages=1)) >= {"vs-emtcm", "PyAV"}

"""A sentence is told once."""

from vs_emtcm.video.notes import note


def test_a_sentence_is_noted_once_and_in_its_place():
    notes = []
    for sentence in ("b", "a", "b"):
        note(notes, sentence)
    assert notes == ["b", "a"]

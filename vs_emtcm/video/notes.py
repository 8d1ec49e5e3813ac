"""Lists of sentences about a video, each of which is told once."""

from __future__ import annotations


def note(notes: list[str], sentence: str) -> None:
    """Append a sentence that is not in the list yet."""
    if sentence not in notes:
        notes.append(sentence)

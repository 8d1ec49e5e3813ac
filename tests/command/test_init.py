"""What is refused before the kind of the work is known."""

import pytest

from tests.material import run


@pytest.mark.parametrize("arguments", [("", "out.mkv"), ("in.mkv", "")])
def test_an_empty_name_is_refused(arguments):
    result = run("upscale", *arguments)
    assert result.exit_code == 2
    assert "is empty; give the name of a file or a folder" in result.stderr

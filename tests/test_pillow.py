"""What Pillow is let open."""

from PIL import Image

from vs_emtcm.pillow import NOT_OPENED, UNREADABLE, opened_formats


def test_common_kinds_are_opened_and_those_that_start_a_program_are_not():
    formats = opened_formats()
    assert {"PNG", "JPEG", "TIFF", "WEBP", "BMP"} <= set(formats)
    assert not NOT_OPENED & set(formats)
    assert set(formats) | NOT_OPENED == set(Image.OPEN)


def test_a_picture_that_is_none_raises_what_is_caught(tmp_path):
    path = tmp_path / "none.png"
    for content in (b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)):
        path.write_bytes(content)
        try:
            with Image.open(path, formats=opened_formats()) as image:
                image.load()
        except UNREADABLE:
            continue
        raise AssertionError(content)

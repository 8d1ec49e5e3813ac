"""The kinds of files that Pillow is let open, and the exceptions that it raises where it cannot."""

from __future__ import annotations

import struct

from PIL import Image

# What Pillow raises when it reads files that are damaged or no pictures.
UNREADABLE = (SyntaxError, OSError, ValueError, TypeError, RuntimeError, EOFError, struct.error)

# Kinds for which Pillow would start another program.
NOT_OPENED = frozenset({"EPS"})


def opened_formats() -> tuple[str, ...]:
    """Pillow's names of the kinds that a file is tried as."""
    Image.init()
    return tuple(name for name in Image.OPEN if name not in NOT_OPENED)

"""Silence for libraries that talk about themselves."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(logger: str, level: int = logging.ERROR) -> Iterator[None]:
    """No warnings, and of a library's log only what is severe.

    What such libraries say (optional packages, deprecations) is nothing to a user.

    Args:
        logger: the library's.
        level: the least severe message that is shown; as it was before, afterwards.
    """
    log = logging.getLogger(logger)
    before = log.level
    log.setLevel(level)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)

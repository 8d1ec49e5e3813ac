"""Silence for libraries that talk about themselves."""

from __future__ import annotations

import logging
import os
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


@contextmanager
def native_silence() -> Iterator[None]:
    """Nothing reaches the standard error stream, whichever language it is written in."""
    try:
        before = os.dup(2)
    except OSError:
        # It is closed already.
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)

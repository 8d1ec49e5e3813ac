"""Silencing the warnings and logs of libraries."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(logger: str, level: int = logging.ERROR) -> Iterator[None]:
    """Suppress Python warnings, and messages of a logger below a level, while the context is open.

    They are about optional packages and deprecations, which a user can do nothing about.

    Args:
        logger: name of the logger.
        level: of the least severe message that is shown.
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
    """Discard what is written to file descriptor 2 (standard error), by native code as well."""
    try:
        before = os.dup(2)
    except OSError:
        # Standard error is closed: there is nothing to silence.
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

"""What the commands say, and the exit codes that errors become."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from vs_emtcm.errors import EmtcmError, UsageError, is_device_out_of_memory, is_host_out_of_memory, reason

FAILURE, USAGE = 1, 2


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn errors into one line on stderr and an exit code: 2 for usage, 1 for failure."""
    try:
        yield
    except UsageError as error:
        say(f"error: {error}")
        raise typer.Exit(USAGE) from error
    except EmtcmError as error:
        say(f"error: {error}")
        raise typer.Exit(FAILURE) from error
    except OSError as error:
        # Such as a folder that may not be searched, or a name that is too long.
        place = f"{error.filename}: " if error.filename else ""
        say(f"error: {place}{reason(error)}")
        raise typer.Exit(FAILURE) from error
    except (MemoryError, RuntimeError) as error:
        if not is_host_out_of_memory(error) and not is_device_out_of_memory(error):
            raise
        say("error: out of memory; a smaller --scale needs less, and on a GPU a smaller --tile does")
        raise typer.Exit(FAILURE) from error
    except KeyboardInterrupt as error:
        # Whoever is impatient presses it twice.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say(str(error) or "interrupted; no unfinished file was left behind")
        raise typer.Exit(FAILURE) from error


def say(message: str) -> None:
    """One line on stderr."""
    print(f"vs-emtcm: {message}", file=sys.stderr, flush=True)

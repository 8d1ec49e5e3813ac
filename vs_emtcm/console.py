"""What the commands say, and the exit codes that errors become."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from vs_emtcm.errors import EmtcmError, UsageError, is_device_out_of_memory, is_host_out_of_memory, reason

# Exit code of a command that failed.
FAILURE = 1
# Exit code of a command that was given wrong options.
USAGE = 2


@contextmanager
def exit_codes(
    *,
    program: str = "vs-emtcm",
    memory_advice: str = "a smaller --scale needs less, and on a GPU a smaller --tile does",
) -> Iterator[None]:
    """Turn errors into one line on stderr and an exit code: 2 for usage, 1 for failure.

    Args:
        program: what the line begins with.
        memory_advice: what needs less memory, said when there is too little.
    """
    try:
        yield
    except UsageError as error:
        say(f"error: {error}", program)
        raise typer.Exit(USAGE) from error
    except EmtcmError as error:
        say(f"error: {error}", program)
        raise typer.Exit(FAILURE) from error
    except BrokenPipeError:
        # The reader of the output, such as head, has enough: Typer ends the command quietly.
        raise
    except OSError as error:
        # Such as a folder that may not be searched, or a name that is too long.
        place = f"{error.filename}: " if error.filename else ""
        say(f"error: {place}{reason(error)}", program)
        raise typer.Exit(FAILURE) from error
    except (MemoryError, RuntimeError) as error:
        if not is_host_out_of_memory(error) and not is_device_out_of_memory(error):
            raise
        say(f"error: out of memory; {memory_advice}", program)
        raise typer.Exit(FAILURE) from error
    except KeyboardInterrupt as error:
        # Whoever is impatient presses it twice.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say(str(error) or "interrupted; no unfinished file was left behind", program)
        raise typer.Exit(FAILURE) from error


def say(message: str, program: str = "vs-emtcm") -> None:
    """Print one line on stderr."""
    print(f"{program}: {message}", file=sys.stderr, flush=True)

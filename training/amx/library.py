"""The library of ``network.cpp``, compiled when it is first needed and kept in the user's cache."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import platformdirs

from vs_emtcm.errors import UsageError

SOURCES = tuple(Path(__file__).with_name(name) for name in ("network.cpp", "convolution.h", "tiles.h"))
# Compiler flags; the matrix unit came with Sapphire Rapids.
FLAGS = ("-std=c++20", "-O3", "-march=sapphirerapids", "-fopenmp", "-shared", "-fPIC")


class AmxError(UsageError):
    """The matrix unit cannot be used here; the message says why."""


@cache
def load_library() -> ctypes.CDLL:
    """Return the library, compiled if it was not yet, with its functions declared.

    Raises:
        AmxError: the processor or the system has no matrix unit, or there is no compiler that works.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise AmxError(f"AMX needs Linux on x86-64, this is {sys.platform} on {platform.machine()}")
    path = _compiled()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise AmxError(f"{path} cannot be loaded: {error}; delete it") from error
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    library.emtcm_create.argtypes = [*[integer] * 7, pointer]
    library.emtcm_create.restype = pointer
    library.emtcm_destroy.argtypes = [pointer]
    library.emtcm_destroy.restype = None
    library.emtcm_forward.argtypes = [pointer] * 5
    library.emtcm_forward.restype = None
    library.emtcm_backward.argtypes = [pointer] * 4
    library.emtcm_backward.restype = None
    if not library.emtcm_supported():
        raise AmxError("this processor or system has no AMX with bfloat16; train without --amx")
    return library


def _compiled() -> Path:
    """Return the path of the compiled library, whose name depends on compiler, flags and sources."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        raise AmxError("AMX needs a C++ compiler; install g++ 12 or newer, or name one in CXX")
    key = hashlib.sha256(" ".join((compiler, *FLAGS)).encode())
    for source in SOURCES:
        key.update(source.read_bytes())
    folder = platformdirs.user_cache_path("vs-emtcm", appauthor=False) / "amx"
    library = folder / f"{key.hexdigest()[:16]}.so"
    if library.exists():
        return library
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        made = Path(work, library.name)
        run = subprocess.run(  # noqa: S603  # the compiler that the user chose
            [compiler, *FLAGS, "-o", made, SOURCES[0]], capture_output=True, text=True, check=False
        )
        if run.returncode:
            lines = run.stderr.splitlines()
            line = next((line for line in lines if "error" in line), lines[0] if lines else "no message")
            raise AmxError(f"{compiler} cannot compile {SOURCES[0].name}: {line}")
        made.replace(library)
    return library
